// The one exception type of the library. Its text is one line a user can act on: what was wrong, with which
// file, option, node or tensor, and what to do about it.
#pragma once
#include <stdexcept>
#include <string>

namespace loupe {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The request itself was wrong (an unknown name, an option out of range): the command line exits with 2,
/// not 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The memory of a device does not suffice; with a smaller batch it may.
class DeviceOutOfMemory : public Error {
 public:
  using Error::Error;
};

}  // namespace loupe
