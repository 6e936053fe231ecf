// Handles of the HDF5 library, for hdf5_writer.cpp and hdf5_reader.cpp alone.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string_view>
#include <utility>

#include "core/dtype.h"
#include "core/errors.h"
#include "core/files/system.h"

namespace plumb::files::hdf5 {

// Holds the library for one thread and keeps it from printing; errors are ours to put into words.
class Session {
 public:
  explicit Session(const Path& path) : lock_(mutex()), path_(path) {  // which outlives it: closing must not allocate
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Session() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Passes a result on, or throws: HDF5 reports every failure by a negative number. Files come here with their seal
  // intact, so it says nothing about what is in them.
  // Takes pieces of text, since whatever allocates here could throw while the result is nobody's yet.
  template <class T>
  T check(T result, std::string_view doing, std::string_view name = {}) const {
    if (result < 0) throw IoError(fmt::format("HDF5 failed {}{}", doing, name), path_.string());
    return result;
  }

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex m;
    return m;
  }
  std::unique_lock<std::recursive_mutex> lock_;
  const Path& path_;
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

// The type of a tensor's elements in a file: little-endian, and bf16 as u16.
inline hid_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f64: return H5T_IEEE_F64LE;
    case DType::f32: return H5T_IEEE_F32LE;
    case DType::bf16: return H5T_STD_U16LE;
    case DType::i64: return H5T_STD_I64LE;
    case DType::i32: return H5T_STD_I32LE;
    case DType::u8: return H5T_STD_U8LE;
  }
  throw Bug("unknown dtype");
}

// UTF-8 text of any length.
inline Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

}  // namespace plumb::files::hdf5
