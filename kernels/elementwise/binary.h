#pragma once
#include "kernels/add/add.h"
