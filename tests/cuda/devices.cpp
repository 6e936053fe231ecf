// Which devices the checks run on: the CPU, and CUDA as it is here, emulated or real.
#include "tests/cuda/device_test.h"

#ifdef PLUMB_EMULATED_CUDA
extern "C" plumb::Backend* plumb_cuda_backend(int index, char* why, std::size_t n);
#endif

namespace plumb::test {

std::vector<Backend*> devices_under_test() {
#ifdef PLUMB_EMULATED_CUDA
  static Backend* emulated = plumb_cuda_backend(0, nullptr, 0);
  return {&backend(Device{}), emulated};
#else
  const Device device{DeviceKind::cuda, 0};
  if (!why_unavailable(device).empty()) return {};
  return {&backend(Device{}), &backend(device)};
#endif
}

}  // namespace plumb::test
