# Sourced by tools/check and tools/quickstart: the packages that Loupe is built and tested with, of Debian 12 and
# Ubuntu 24.04, and how they get there.
packages=(g++ cmake ninja-build pkg-config doctest-dev libbenchmark-dev libstb-dev libcli11-dev nlohmann-json3-dev libhwy-dev
  libboost-dev libboost-context-dev libdw-dev libprotozero-dev libeigen3-dev libjpeg-dev libwebp-dev libutf8proc-dev)

# missing_packages: those that are not installed, one a line. On a system without Debian's packages none is known to be.
missing_packages() {
  command -v dpkg-query > /dev/null || return 0
  local package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f='${Status}' "$package" 2> /dev/null) == "install ok installed" ]] || echo "$package"
  done
}

# install_packages yes|no: whether it may call apt-get. Says what it does; where it fails, why, as its last line.
install_packages() {
  local may_install=$1 missing=() root=() log
  if ! command -v dpkg-query > /dev/null; then
    echo "no Debian packages here; Loupe needs: ${packages[*]}"
    return 0
  fi
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    echo "all there: ${packages[*]}"
    return 0
  fi
  if [[ $may_install == no ]]; then
    echo "packages are missing, and --no-install was given: ${missing[*]}" >&2
    return 1
  fi
  if ((EUID != 0)); then
    if ! command -v sudo > /dev/null; then
      echo "packages are missing, and without sudo only root can install them: ${missing[*]}" >&2
      return 1
    fi
    root=(sudo)
  fi
  echo "+ ${root[*]:+${root[*]} }apt-get install ${missing[*]}"
  log=$(mktemp)
  # An update that fails for one of many sources need not matter: what counts is whether the packages can be had.
  if { "${root[@]}" apt-get update -qq; "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > "$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  echo "apt-get could not install ${missing[*]}; is there a network? $(grep '^E: ' "$log" | tail -n 1)" >&2
  rm -f "$log"
  return 1
}
