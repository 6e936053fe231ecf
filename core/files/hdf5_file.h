// HDF5 files, written whole and read with checks; h5py and h5dump read them without us. Same content, same bytes.
// A seal behind the HDF5 part (other readers ignore it) lets us notice any damaged bit before HDF5 parses a thing, and
// say which dataset it hit. This is the only module that knows the HDF5 library.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/files/digest.h"
#include "core/files/system.h"
#include "core/tensor.h"

namespace plumb::files {

using Attribute = std::variant<std::string, double, std::int64_t>;

// What a file holds. Names are paths ("params/blocks.0.attn.q.weight"): their groups come into being by themselves.
// A bf16 tensor is stored as u16 with the attribute dtype = "bf16".
struct Hdf5Content {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::vector<std::string>> texts;               // one-dimensional arrays of UTF-8 strings
  std::map<std::string, std::map<std::string, Attribute>> attributes;  // by path of group or dataset; "" is the root
};

void write_hdf5(const Path& path, const Hdf5Content& content);  // atomically

class Hdf5Reader {
 public:
  // Checks the seal: a damaged file is a UserError that names the damaged datasets. `kind` is what errors call the
  // file.
  explicit Hdf5Reader(const Path& path, const std::string& kind = "file");
  ~Hdf5Reader();
  Hdf5Reader(Hdf5Reader&&) noexcept;

  const std::vector<std::string>& names() const;  // all datasets, sorted
  bool has(const std::string& name) const;
  Tensor tensor(const std::string& name) const;
  Tensor tensor(const std::string& name, DType dtype, const Shape& shape) const;  // or an error that names both
  std::vector<std::string> texts(const std::string& name) const;
  std::map<std::string, Attribute> attributes(const std::string& path) const;  // of a group or dataset

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plumb::files
