// Reads sealed HDF5 files. The library sees a file only after every byte proved to be what was written.
#include <algorithm>
#include <exception>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_api.h"
#include "core/files/hdf5_file.h"
#include "core/files/seal.h"

namespace plumb::files {

using hdf5::Handle;
using hdf5::Session;

struct Hdf5Reader::Impl {
  Path path;
  std::string kind;
  std::uint64_t size = 0;  // of the file: nothing in it can be larger
  std::vector<std::string> names;
  Handle file;

  [[noreturn]] void damaged(const std::string& what) const {
    throw UserError(fmt::format("the {} is damaged: {}", kind, what), path.string(),
                    "use another copy; of checkpoints, `plumb resume` takes the newest that is whole");
  }
  void check_bytes();
  Handle open_dataset(const Session& session, const std::string& name) const;
  DType dtype_of_dataset(const Session& session, hid_t set, const std::string& name) const;
};

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 5 ? text + fmt::format(" and {} more", names.size() - 5) : text;
}

std::string read_text(const Session& session, hid_t attribute, const std::string& name) {
  const Handle type = hdf5::text_type();
  char* text = nullptr;
  session.check(H5Aread(attribute, type, &text), "reading the attribute ", name);
  const std::unique_ptr<char, herr_t (*)(void*)> owned(text, H5free_memory);
  return text ? text : "";
}

Attribute read_attribute(const Session& session, hid_t object, const std::string& name) {
  const Handle attribute(session.check(H5Aopen(object, name.c_str(), H5P_DEFAULT), "opening ", name), H5Aclose);
  const Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  if (H5Sget_simple_extent_npoints(space) != 1) session.check(-1, "reading, as it is no scalar, the attribute ", name);
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0) return read_text(session, attribute, name);
  if (H5Tget_class(type) == H5T_INTEGER) {
    std::int64_t value = 0;
    session.check(H5Aread(attribute, H5T_STD_I64LE, &value), "reading the attribute ", name);
    return value;
  }
  double value = 0;
  session.check(H5Aread(attribute, H5T_IEEE_F64LE, &value), "reading the attribute ", name);
  return value;
}

// Names that the library calls back with, one by one; no exception may cross it.
class Names {
 public:
  static herr_t note_dataset(hid_t, const char* name, const H5O_info_t* info, void* names) {
    return info->type == H5O_TYPE_DATASET ? static_cast<Names*>(names)->note(name) : 0;
  }
  static herr_t note_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
    return static_cast<Names*>(names)->note(name);
  }
  // What came, sorted, once the library has returned `result`.
  std::vector<std::string> take(const Session& session, herr_t result, std::string_view doing) {
    if (error_) std::rethrow_exception(error_);
    session.check(result, doing);
    std::sort(names_.begin(), names_.end());
    return std::move(names_);
  }

 private:
  herr_t note(const char* name) noexcept {
    try {
      names_.emplace_back(name);
      return 0;
    } catch (...) {
      error_ = std::current_exception();
      return -1;
    }
  }
  std::vector<std::string> names_;
  std::exception_ptr error_;
};

}  // namespace

void Hdf5Reader::Impl::check_bytes() {
  const MappedFile mapped(path);
  size = mapped.bytes().size();
  const SealCheck check = check_seal(mapped.bytes());
  if (!check.sealed) damaged("it is cut short, or was changed or made by another program (its seal is missing)");
  if (check.intact) return;
  if (check.damaged.empty()) damaged("its structure differs from what was written");
  damaged(fmt::format("the digest of {} differs from what was written", joined(check.damaged)));
}

Handle Hdf5Reader::Impl::open_dataset(const Session& session, const std::string& name) const {
  if (!std::binary_search(names.begin(), names.end(), name)) {
    throw UserError(fmt::format("the {} has no dataset {}", kind, name), path.string());
  }
  return Handle(session.check(H5Dopen2(file, name.c_str(), H5P_DEFAULT), "opening ", name), H5Dclose);
}

DType Hdf5Reader::Impl::dtype_of_dataset(const Session& session, hid_t set, const std::string& name) const {
  const Handle type(H5Dget_type(set), H5Tclose);
  for (const DType dtype : {DType::f64, DType::f32, DType::i64, DType::i32, DType::u8, DType::bf16}) {
    if (H5Tequal(type, hdf5::type_of(dtype)) <= 0) continue;
    const bool marked = dtype == DType::bf16 && H5Aexists(set, "dtype") > 0;
    if (dtype != DType::bf16 || (marked && read_attribute(session, set, "dtype") == Attribute("bf16"))) return dtype;
  }
  throw UserError(fmt::format("dataset {} has a type that Plumb does not read", name), path.string());
}

Hdf5Reader::Hdf5Reader(const Path& path, const std::string& kind) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->kind = kind;
  impl_->check_bytes();
  const Session session(path);
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  impl_->file = Handle(session.check(id, "opening the file"), H5Fclose);
  Names names;
  const herr_t visited = H5Ovisit(id, H5_INDEX_NAME, H5_ITER_INC, Names::note_dataset, &names);
  impl_->names = names.take(session, visited, "listing the file");
}

Hdf5Reader::~Hdf5Reader() {
  if (!impl_) return;
  const Session session(impl_->path);
  impl_->file = Handle();
}
Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;

const std::vector<std::string>& Hdf5Reader::names() const { return impl_->names; }

bool Hdf5Reader::has(const std::string& name) const {
  return std::binary_search(impl_->names.begin(), impl_->names.end(), name);
}

Tensor Hdf5Reader::tensor(const std::string& name) const {
  const Session session(impl_->path);
  const Handle set = impl_->open_dataset(session, name);
  const DType dtype = impl_->dtype_of_dataset(session, set, name);
  const Handle space(H5Dget_space(set), H5Sclose), creation(H5Dget_create_plist(set), H5Pclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > max_dims) impl_->damaged(fmt::format("{} has {} dimensions", name, rank));
  hsize_t dims[max_dims] = {};
  session.check(H5Sget_simple_extent_dims(space, dims, nullptr), "reading the shape of ", name);
  Shape shape;
  std::uint64_t bytes = size_of(dtype);
  bool too_large = false;
  for (int i = 0; i < rank; ++i) {
    too_large |= dims[i] > (hsize_t{1} << 48) || __builtin_mul_overflow(bytes, std::max<hsize_t>(dims[i], 1), &bytes);
    shape.push_back(static_cast<std::int64_t>(dims[i]));
  }
  const bool plain = H5Pget_layout(creation) == H5D_CONTIGUOUS && H5Pget_external_count(creation) == 0;
  if (too_large || !plain || (numel(shape) > 0 && (bytes > impl_->size || H5Dget_storage_size(set) != bytes))) {
    impl_->damaged(fmt::format("{} says that it is larger than the file, or elsewhere", name));
  }
  const Tensor value = Tensor::empty(shape, dtype, cpu_device, "reading a file");
  if (value.numel() == 0) return value;
  session.check(H5Dread(set, hdf5::type_of(dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, value.raw()), "reading ", name);
  return value;
}

Tensor Hdf5Reader::tensor(const std::string& name, DType dtype, const Shape& shape) const {
  Tensor value = tensor(name);
  if (value.dtype() == dtype && value.shape() == shape) return value;
  throw UserError(fmt::format("{} is {} {}, but {} {} is wanted", name, name_of(value.dtype()),
                              to_string(value.shape()), name_of(dtype), to_string(shape)),
                  impl_->path.string());
}

std::vector<std::string> Hdf5Reader::texts(const std::string& name) const {
  const Session session(impl_->path);
  const Handle set = impl_->open_dataset(session, name);
  const Handle type(H5Dget_type(set), H5Tclose), space(H5Dget_space(set), H5Sclose), memory = hdf5::text_type();
  const auto n = static_cast<std::uint64_t>(H5Sget_simple_extent_npoints(space));
  if (H5Tis_variable_str(type) <= 0 || n > impl_->size) {
    throw UserError(fmt::format("dataset {} holds no texts", name), impl_->path.string());
  }
  std::vector<char*> pointers(n, nullptr);
  if (n > 0) session.check(H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), "reading ", name);
  const auto reclaim = [&](void* all) { H5Dvlen_reclaim(memory, space, H5P_DEFAULT, all); };
  const std::unique_ptr<void, decltype(reclaim)> owned(n > 0 ? pointers.data() : nullptr, reclaim);
  std::vector<std::string> values;
  for (const char* pointer : pointers) values.emplace_back(pointer ? pointer : "");
  return values;
}

std::map<std::string, Attribute> Hdf5Reader::attributes(const std::string& path) const {
  const Session session(impl_->path);
  const Handle object(H5Oopen(impl_->file, ("/" + path).c_str(), H5P_DEFAULT), H5Oclose);
  if (object < 0)
    throw UserError(fmt::format("the {} has no group or dataset {}", impl_->kind, path), impl_->path.string());
  Names names;
  const herr_t visited = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, Names::note_attribute, &names);
  std::map<std::string, Attribute> values;
  for (const auto& name : names.take(session, visited, "listing attributes"))
    values.emplace(name, read_attribute(session, object, name));
  return values;
}

}  // namespace plumb::files
