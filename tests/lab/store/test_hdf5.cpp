// The HDF5 layer: round trips, equal bytes, damage noticed and named, other readers.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "core/files/atomic_file.h"
#include "core/files/hdf5_file.h"
#include "tests/files_support.h"

namespace plumb::files {
namespace {

using test::error_of;
using test::Folder;

constexpr double inf = std::numeric_limits<double>::infinity();

Hdf5Content sample() {
  Hdf5Content content;
  content.tensors["params/blocks.0.attn.q.weight"] = Tensor::of<float>({1, -2, 3.5f, -0.0f, 5, 1e-42f}).reshape({2, 3});
  content.tensors["params/head"] = Tensor::of<double>({std::nan(""), inf, -inf, 0.1});
  content.tensors["params/half"] = Tensor::of<Bf16>({Bf16(1.5f), Bf16(-3.0f)});
  content.tensors["optim/count"] = Tensor::of<std::int64_t>({1, std::int64_t{1} << 62});
  content.tensors["state/i"] = Tensor::of<std::int32_t>({-1});
  content.tensors["state/mask"] = Tensor::of<std::uint8_t>({0, 1, 255});
  content.tensors["state/nothing"] = Tensor::empty({0, 3});
  content.tensors["state/scalar"] = Tensor::of<double>({4}).reshape({});
  content.texts["notes"] = {"a", "", "Grüße, 世界"};
  content.texts["none"] = {};
  content.attributes[""] = {
      {"step", std::int64_t{7}}, {"rate", 0.5}, {"config", "name = \"x\"\n" + std::string(70000, '#')}};
  content.attributes["provenance/deep"] = {{"isa", "avx2"}};
  content.attributes["params/head"] = {{"units", "nats"}};
  return content;
}

TEST(Hdf5, ReadsBackWhatItWrote) {
  const Folder folder;
  const Hdf5Content content = sample();
  write_hdf5(folder / "a.h5", content);
  const Hdf5Reader reader(folder / "a.h5");
  EXPECT_EQ(reader.names().size(), content.tensors.size() + content.texts.size());
  for (const auto& [name, value] : content.tensors) {
    const Tensor read = reader.tensor(name, value.dtype(), value.shape());
    EXPECT_EQ(digest({name, read}), digest({name, value})) << name;
  }
  for (const auto& [name, values] : content.texts) EXPECT_EQ(reader.texts(name), values);
  for (const auto& [path, values] : content.attributes) {
    for (const auto& [name, value] : values) EXPECT_EQ(reader.attributes(path).at(name), value) << path << " " << name;
  }
}

TEST(Hdf5, SameContentMakesTheSameBytes) {
  const Folder folder;
  write_hdf5(folder / "a.h5", sample());
  sleep(1);  // the library's time stamps have seconds
  write_hdf5(folder / "b.h5", sample());
  EXPECT_EQ(read_text(folder / "a.h5"), read_text(folder / "b.h5"));
  EXPECT_EQ(test::temporaries_in(folder.path()), 0);
}

TEST(Hdf5, NamesTheDatasetThatIsDamaged) {
  const Folder folder;
  Hdf5Content content;
  content.tensors["params/a"] = Tensor::from(std::vector<float>(100, 1.25f), {100});
  content.tensors["params/b"] = Tensor::from(std::vector<float>(100, 2.5f), {100});
  write_hdf5(folder / "a.h5", content);
  std::string bytes = read_text(folder / "a.h5");
  const float needle[2] = {2.5f, 2.5f};
  bytes[bytes.find(std::string(reinterpret_cast<const char*>(needle), 8)) + 5] ^= 1;
  write_atomically(folder / "a.h5", bytes);
  const std::string error = error_of([&] { Hdf5Reader(folder / "a.h5", "checkpoint"); });
  EXPECT_NE(error.find("the checkpoint is damaged: the digest of params/b differs"), std::string::npos) << error;
  EXPECT_NE(error.find("a.h5"), std::string::npos) << error;
}

TEST(Hdf5, NoticesEveryFlippedBitAndEveryCut) {
  const Folder folder;
  Hdf5Content content;
  content.tensors["w"] = Tensor::of<float>({1, 2, 3});
  write_hdf5(folder / "a.h5", content);
  const std::string whole = read_text(folder / "a.h5");
  const auto noticed = [&](const std::string& bytes) {
    std::ofstream(folder / "b.h5", std::ios::binary) << bytes;
    return error_of([&] { Hdf5Reader(folder / "b.h5"); }).find("damaged") != std::string::npos;
  };
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += bit < 8 * (whole.size() - 200) ? 37 : 1) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(noticed(flipped)) << "bit " << bit;
  }
  for (std::size_t length = 0; length < whole.size(); length += 3)
    EXPECT_TRUE(noticed(whole.substr(0, length))) << length;
  EXPECT_FALSE(noticed(whole));
}

TEST(Hdf5, ErrorsNameWhatIsWantedAndWhatIsThere) {
  const Folder folder;
  write_hdf5(folder / "a.h5", sample());
  const Hdf5Reader reader(folder / "a.h5");
  EXPECT_NE(error_of([&] { reader.tensor("params/none"); }).find("no dataset params/none"), std::string::npos);
  const std::string error = error_of([&] { reader.tensor("params/head", DType::f32, {5}); });
  EXPECT_NE(error.find("params/head is f64 [4], but f32 [5] is wanted"), std::string::npos) << error;
  EXPECT_NE(error_of([&] { reader.texts("params/head"); }), "");
  EXPECT_NE(error_of([&] { reader.tensor("notes"); }), "");
  EXPECT_NE(error_of([&] { reader.attributes("nowhere"); }), "");
  Hdf5Content bad;
  bad.tensors["a//b"] = Tensor::of<float>({1});
  EXPECT_NE(error_of([&] { write_hdf5(folder / "b.h5", bad); }), "");
  bad.tensors = {{"a", Tensor::of<float>({1})}, {"a/b", Tensor::of<float>({1})}};  // a group cannot be a dataset
  EXPECT_NE(error_of([&] { write_hdf5(folder / "b.h5", bad); }), "");
  EXPECT_FALSE(std::filesystem::exists(folder / "b.h5"));
}

TEST(Hdf5, H5dumpReadsItWithoutUs) {
  if (std::system("command -v h5dump > /dev/null 2>&1") != 0) GTEST_SKIP() << "h5dump is not installed";
  const Folder folder;
  write_hdf5(folder / "a.h5", sample());
  const std::string dump = "h5dump " + (folder / "a.h5").string() + " > " + (folder / "dump").string() + " 2>&1";
  ASSERT_EQ(std::system(dump.c_str()), 0);
  const std::string text = read_text(folder / "dump");
  for (const char* part : {"blocks.0.attn.q.weight", "H5T_IEEE_F32LE", "H5T_CSET_UTF8", "provenance", "3.5"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace plumb::files
