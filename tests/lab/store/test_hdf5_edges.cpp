// HDF5 files that another program could have made, under a seal that is right: read as far as they make sense.
#include <hdf5.h>
#include <unistd.h>

#include <functional>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"
#include "core/files/seal.h"
#include "tests/files_support.h"

namespace plumb::files {
namespace {

using test::error_of;
using test::Folder;

// What the library writes, sealed as ours.
class Foreign {
 public:
  explicit Foreign(const std::function<void(hid_t)>& fill) {
    const Path raw = folder_ / "raw.h5";
    const hid_t file = H5Fcreate(raw.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    fill(file);
    H5Fclose(file);
    const std::string body = read_text(raw);
    write_atomically(path(), body + make_seal(as_bytes(body), {}));
  }
  Path path() const { return folder_ / "sealed.h5"; }
  // The error of reading a tensor of it.
  std::string error_of_tensor(const std::string& name) const {
    return error_of([&] { Hdf5Reader(path()).tensor(name); });
  }

 private:
  Folder folder_;
};

hid_t dataset(hid_t file, const char* name, hid_t type, const std::vector<hsize_t>& dims,
              hid_t creation = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Sclose(space);
  return set;
}

hid_t text_of_any_length() {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  return type;
}

void attribute(hid_t object, const char* name, hid_t type, hsize_t count, const void* values) {
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t made = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(made, type, values);
  H5Aclose(made);
  H5Sclose(space);
}

void expect_has(const std::string& error, const std::string& part) {
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(ForeignHdf5, HasTensorsThatAreNotWhereTheySay) {
  const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE), outside = H5Pcreate(H5P_DATASET_CREATE);
  const hid_t cubes = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {2, 2, 2};
  H5Pset_chunk(chunked, 1, chunk);
  H5Pset_chunk(cubes, 3, chunk);
  H5Pset_external(outside, "/etc/hostname", 0, 16);
  const Foreign file([&](hid_t f) {
    H5Dclose(dataset(f, "unwritten", H5T_IEEE_F32LE, {3}));
    H5Dclose(dataset(f, "huge", H5T_IEEE_F32LE, {hsize_t{1} << 40}));
    H5Dclose(dataset(f, "huger", H5T_IEEE_F32LE, {hsize_t{1} << 49}));
    H5Dclose(dataset(f, "product", H5T_IEEE_F32LE, {hsize_t{1} << 40, hsize_t{1} << 19, 8}, cubes));
    H5Dclose(dataset(f, "none_of_many", H5T_IEEE_F32LE, {hsize_t{1} << 40, 0}));
    H5Dclose(dataset(f, "chunked", H5T_IEEE_F32LE, {4}, chunked));
    H5Dclose(dataset(f, "outside", H5T_IEEE_F32LE, {4}, outside));
    H5Dclose(dataset(f, "deep", H5T_IEEE_F32LE, std::vector<hsize_t>(20, 1)));
    H5Dclose(dataset(f, "texts", text_of_any_length(), {hsize_t{1} << 40}));
  });
  for (const char* name : {"unwritten", "huge", "huger", "product", "chunked", "outside"})
    expect_has(file.error_of_tensor(name), std::string(name) + " says that it is larger than the file, or elsewhere");
  expect_has(file.error_of_tensor("deep"), "deep has 20 dimensions");
  EXPECT_EQ(Hdf5Reader(file.path()).tensor("none_of_many").numel(), 0);
  expect_has(error_of([&] { Hdf5Reader(file.path()).texts("texts"); }), "dataset texts holds no texts");
}

TEST(ForeignHdf5, HasTypesThatAreNotOurs) {
  const Foreign file([](hid_t f) {
    const double number = 1;
    const std::uint16_t bits = 1;
    hid_t set = dataset(f, "unmarked", H5T_STD_U16LE, {1});
    H5Dwrite(set, H5T_STD_U16LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &bits);
    H5Dclose(set);
    set = dataset(f, "marked_otherwise", H5T_STD_U16LE, {1});
    attribute(set, "dtype", H5T_IEEE_F64LE, 1, &number);
    H5Dclose(set);
  });
  for (const char* name : {"unmarked", "marked_otherwise"})
    expect_has(file.error_of_tensor(name), std::string("dataset ") + name + " has a type that Plumb does not read");
}

TEST(ForeignHdf5, HasTextsThatAreNoPointers) {
  const Foreign file([](hid_t f) {
    const hid_t type = text_of_any_length();
    const char* texts[] = {"a", nullptr};
    const hid_t set = dataset(f, "texts", type, {2});
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts);
    H5Dclose(set);
    const hid_t group = H5Gcreate2(f, "good", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    attribute(group, "none", type, 1, &texts[1]);
    H5Gclose(group);
  });
  EXPECT_EQ(Hdf5Reader(file.path()).texts("texts"), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(Hdf5Reader(file.path()).attributes("good").at("none"), Attribute(""));
}

TEST(ForeignHdf5, HasAttributesThatAreNoneOfOurs) {
  const Foreign file([](hid_t f) {
    const std::int64_t several[] = {1, 2};
    hid_t group = H5Gcreate2(f, "list", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    attribute(group, "several", H5T_STD_I64LE, 2, several);
    H5Gclose(group);
    group = H5Gcreate2(f, "fixed", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 4);
    attribute(group, "word", type, 1, "abc");
    H5Gclose(group);
  });
  const Hdf5Reader reader(file.path());
  expect_has(error_of([&] { reader.attributes("list"); }), "as it is no scalar, the attribute several");
  expect_has(error_of([&] { reader.attributes("fixed"); }), "reading the attribute word");
}

TEST(Hdf5Damage, NamesAFewOfManyParts) {
  const Folder folder;
  Hdf5Content content;
  for (char c = 'a'; c <= 'g'; ++c) content.tensors[std::string("params/") + c] = Tensor::of<double>({1000.0 + c});
  write_hdf5(folder / "f.h5", content);
  std::string bytes = read_text(folder / "f.h5");
  for (char c = 'a'; c <= 'g'; ++c) {
    const double value = 1000.0 + c;
    const auto at = bytes.find(std::string(reinterpret_cast<const char*>(&value), sizeof value));
    ASSERT_NE(at, std::string::npos);
    bytes[at] ^= 1;
  }
  write_atomically(folder / "f.h5", bytes);
  expect_has(error_of([&] { const Hdf5Reader reader(folder / "f.h5"); }),
             "the digest of params/a, params/b, params/c, params/d, params/e and 2 more differs");
}

TEST(Hdf5Reader, CanBeMoved) {
  const Folder folder;
  write_hdf5(folder / "f.h5", {.tensors = {{"x", Tensor::of<float>({1})}}, .texts = {}, .attributes = {}});
  Hdf5Reader first(folder / "f.h5");
  const Hdf5Reader second(std::move(first));
  EXPECT_TRUE(second.has("x"));
}

TEST(Hdf5Writer, MakesAGroupOnce) {
  const Folder folder;
  Hdf5Content content;
  content.attributes["a/b"] = {{"x", 1.0}};
  content.attributes["a"] = {{"x", 2.0}};
  content.attributes["a/c"] = {{"x", 3.0}};
  write_hdf5(folder / "f.h5", content);
  EXPECT_EQ(Hdf5Reader(folder / "f.h5").attributes("a").at("x"), Attribute(2.0));
  content.tensors["/x"] = Tensor::of<float>({1});
  expect_has(error_of([&] { write_hdf5(folder / "g.h5", content); }), "'/x' is no name");
}

}  // namespace
}  // namespace plumb::files
