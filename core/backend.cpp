// Devices by name, and their backends. The CUDA backend is a shared object beside libplumb, opened on first use, so
// that a program without a GPU never loads CUDA's libraries.
#include "core/backend.h"

#include <dlfcn.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <string>

#include "core/cpu/backend.h"
#include "core/dry/backend.h"

namespace plumb {
namespace {

constexpr const char* cuda_library = "libplumb_cuda.so";
constexpr const char* cuda_maker = "plumb_cuda_backend";
using CudaMaker = Backend* (*)(int index, char* why, std::size_t n);

struct Found {
  bool tried = false;
  Backend* backend = nullptr;  // lives as long as the process
  std::string why;
};

// The function that makes CUDA backends, or null and the reason.
CudaMaker open_cuda(std::string& why) {
  Dl_info self{};
  if (!dladdr(reinterpret_cast<const void*>(&parse_device), &self) || !self.dli_fname) {
    why = "the folder of libplumb cannot be found";
    return nullptr;
  }
  const auto path = std::filesystem::path(self.dli_fname).parent_path() / cuda_library;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    why = fmt::format("this build has no CUDA backend ({} does not exist)", path.string());
    return nullptr;
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* maker = handle ? dlsym(handle, cuda_maker) : nullptr;
  if (!maker) {
    const char* reason = dlerror();
    why = reason ? reason : "the CUDA backend cannot be opened";
  }
  return reinterpret_cast<CudaMaker>(maker);
}

Found find_cuda(int index) {
  Found found;
  found.tried = true;
  static std::string why_closed;
  static const CudaMaker make = open_cuda(why_closed);
  if (!make) {
    found.why = why_closed;
    return found;
  }
  char why[512] = "";
  found.backend = make(index, why, sizeof why);
  if (!found.backend) found.why = *why ? why : "the CUDA backend gave no reason";
  return found;
}

const Found& cuda(int index) {
  static std::array<Found, 128> known;
  static std::mutex guard;
  const std::lock_guard lock(guard);
  Found& found = known[static_cast<std::size_t>(index)];
  if (!found.tried) found = find_cuda(index);
  return found;
}

}  // namespace

std::string to_string(Device device) {
  switch (device.kind) {
    case DeviceKind::cpu: return "cpu";
    case DeviceKind::dry: return "dry";
    case DeviceKind::cuda: break;
  }
  return fmt::format("cuda:{}", static_cast<int>(device.index));
}

std::string why_unavailable(Device device) {
  if (device.kind != DeviceKind::cuda) return "";
  return device.index < 0 ? "a device has an index from 0 on" : cuda(device.index).why;
}

Backend& backend(Device device) {
  static cpu::CpuBackend the_cpu;
  static dry::DryBackend the_dry_one;
  if (device.kind == DeviceKind::cpu) return the_cpu;
  if (device.kind == DeviceKind::dry) return the_dry_one;
  if (const std::string why = why_unavailable(device); !why.empty())
    throw UserError(fmt::format("device {} cannot be used: {}", to_string(device), why), "device",
                    "use --device cpu, or see `plumb doctor`");
  return *cuda(device.index).backend;
}

Device parse_device(const std::string& text) {
  if (text == "cpu") return {};
  if (text == "cuda") return {DeviceKind::cuda, 0};
  int index = -1;
  if (text.starts_with("cuda:")) {
    const char *first = text.data() + 5, *last = text.data() + text.size();
    const auto [end, error] = std::from_chars(first, last, index);
    if (error == std::errc{} && end == last && index >= 0 && index < 128)
      return {DeviceKind::cuda, static_cast<std::int8_t>(index)};
  }
  throw UserError(fmt::format("\"{}\" is not a device", text), "device", "use cpu, cuda or cuda:N");
}

}  // namespace plumb
