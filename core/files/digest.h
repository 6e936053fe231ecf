// Digests: XXH3-128 of what tensors hold (name, dtype, shape, little-endian bytes; sorted by name), and CRC32C.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/system.h"
#include "core/tensor.h"

namespace plumb::files {

class MappedFile;

struct NamedTensor {
  std::string name;
  Tensor value;
};

// All digests are 32 hexadecimal digits. Those of tensors do not depend on order, strides or device.
std::string digest(Bytes bytes);
std::string digest(std::string_view text);
std::string digest(const MappedFile& file);  // that of its bytes, in memory that does not grow with them
std::string digest(const NamedTensor& tensor);
std::string digest(const std::vector<NamedTensor>& tensors);  // a name that occurs twice is an error

// Castagnoli's CRC, as in iSCSI, TFRecord and our journal. `seed` is the CRC of the bytes that came before.
std::uint32_t crc32c(Bytes bytes, std::uint32_t seed = 0);

}  // namespace plumb::files
