// Builds the HDF5 file in memory, seals it, and places it atomically: the library itself never writes to the disk.
#include <cstring>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_api.h"
#include "core/files/hdf5_file.h"
#include "core/files/seal.h"

namespace plumb::files {
namespace {

using hdf5::Handle;
using hdf5::Session;

class Writer {
 public:
  // Memory for `bytes` of tensors is asked for at once: growing step by step would hold the file twice.
  Writer(const Path& path, std::size_t bytes) : path_(path), session_(path_) {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose), creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    session_.check(H5Pset_fapl_core(access, bytes + (std::size_t{1} << 20), false), "asking for a file in memory");
    H5Pset_obj_track_times(creation, false);  // else the bytes depend on the clock
    file_ = Handle(session_.check(H5Fcreate("plumb-in-memory", H5F_ACC_TRUNC, creation, access), "making the file"),
                   H5Fclose);
  }

  void tensor(const std::string& name, const Tensor& value) {
    const Tensor t = value.to(cpu_device).contiguous();
    hsize_t dims[max_dims] = {};
    for (int i = 0; i < t.dim(); ++i) dims[i] = static_cast<hsize_t>(t.shape()[i]);
    const Handle space(t.dim() == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(t.dim(), dims, nullptr), H5Sclose);
    const Handle set = dataset(name, hdf5::type_of(t.dtype()), space);
    if (t.numel() > 0) {
      session_.check(H5Dwrite(set, hdf5::type_of(t.dtype()), H5S_ALL, H5S_ALL, H5P_DEFAULT, t.raw()), "writing ", name);
      parts_.push_back({name, static_cast<std::uint64_t>(H5Dget_offset(set)),
                        static_cast<std::uint64_t>(t.numel()) * size_of(t.dtype())});
    }
    if (t.dtype() == DType::bf16) attribute(set, "dtype", "bf16");
  }

  void texts(const std::string& name, const std::vector<std::string>& values) {
    const hsize_t n = values.size();
    const Handle space(H5Screate_simple(1, &n, nullptr), H5Sclose), type = hdf5::text_type();
    const Handle set = dataset(name, type, space);
    std::vector<const char*> pointers;
    for (const auto& value : values) pointers.push_back(c_text(name, value));
    if (n > 0) session_.check(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), "writing ", name);
  }

  void attributes(const std::string& path, const std::map<std::string, Attribute>& values) {
    if (!path.empty() && H5Lexists(file_, path.c_str(), H5P_DEFAULT) <= 0) make_groups(path + "/");
    const std::string full = "/" + path;
    const Handle object(session_.check(H5Oopen(file_, full.c_str(), H5P_DEFAULT), "opening ", full), H5Oclose);
    for (const auto& [name, value] : values) attribute(object, name, value);
  }

  void place() {
    session_.check(H5Fflush(file_, H5F_SCOPE_GLOBAL), "finishing the file");
    const ssize_t size = session_.check(H5Fget_file_image(file_, nullptr, 0), "measuring the file");
    void** memory = nullptr;  // the image itself: a copy would double the memory of a checkpoint
    session_.check(H5Fget_vfd_handle(file_, H5P_DEFAULT, reinterpret_cast<void**>(&memory)),
                   "reading the file's memory");
    const Bytes body(static_cast<const std::byte*>(*memory), static_cast<std::size_t>(size));
    const std::string seal = make_seal(body, parts_);
    write_atomically(path_, {body, as_bytes(seal)});
  }

 private:
  const char* c_text(const std::string& name, const std::string& text) const {
    if (text.find('\0') != std::string::npos) {
      throw UserError(fmt::format("the text {} holds a zero byte, which HDF5 cannot store", name), path_.string());
    }
    return text.c_str();
  }

  // Makes the groups in which `name` lies.
  void make_groups(const std::string& name) {
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      const std::string group = name.substr(0, slash);
      if (group.empty() || group.ends_with('/')) throw UserError(fmt::format("'{}' is no name", name), path_.string());
      if (H5Lexists(file_, group.c_str(), H5P_DEFAULT) > 0) continue;
      const Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
      H5Pset_obj_track_times(creation, false);
      const hid_t id = H5Gcreate2(file_, group.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT);
      const Handle made(session_.check(id, "making the group ", group), H5Gclose);
    }
  }

  Handle dataset(const std::string& name, hid_t type, hid_t space) {
    make_groups(name);
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation, false);
    const hid_t id = H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    return Handle(session_.check(id, "making the dataset ", name), H5Dclose);
  }

  void attribute(hid_t object, const std::string& name, const Attribute& value) {
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose), text = hdf5::text_type();
    const hid_t type = value.index() == 0 ? hid_t(text) : value.index() == 1 ? H5T_IEEE_F64LE : H5T_STD_I64LE;
    const hid_t id = H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    const Handle made(session_.check(id, "making the attribute ", name), H5Aclose);
    const char* pointer = value.index() == 0 ? c_text(name, std::get<std::string>(value)) : nullptr;
    const void* from = pointer ? static_cast<const void*>(&pointer)
                               : std::visit([](const auto& v) { return static_cast<const void*>(&v); }, value);
    session_.check(H5Awrite(made, type, from), "writing the attribute ", name);
  }

  Path path_;
  Session session_;  // before what it guards: closes last
  Handle file_;
  std::vector<SealedPart> parts_;
};

}  // namespace

void write_hdf5(const Path& path, const Hdf5Content& content) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : content.tensors)
    bytes += static_cast<std::size_t>(value.numel()) * size_of(value.dtype());
  Writer writer(path, bytes);
  for (const auto& [name, value] : content.tensors) writer.tensor(name, value);
  for (const auto& [name, values] : content.texts) writer.texts(name, values);
  for (const auto& [name, values] : content.attributes) writer.attributes(name, values);
  writer.place();
}

}  // namespace plumb::files
