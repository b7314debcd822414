# libloupe_cuda.so
set(LOUPE_CUDA_MISSING "the CUDA module is not written yet")
