// Random numbers are the same bits on every device, whatever part of a stream is asked for.
#include "core/random_math.h"
#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

class RandomNumbers : public OnDevices {};
using kernels::Distribution;
namespace math = random_math;

TEST_F(RandomNumbers, AreThoseOfTheSharedHeader) {
  each([](Backend& d) {
    const std::uint64_t key = 0x123456789abcdefull, first = 3;
    const std::int64_t n = 1000;
    const Array narrow(d, DType::f32, {n}, zeros(n)), wide(d, DType::f64, {n}, zeros(n)),
        whole(d, DType::i32, {n}, zeros(n));
    const auto check = [&](Distribution kind, double a, double b, auto value) {
      d.random(kind, key, first, a, b, narrow.raw());
      d.random(kind, key, first, a, b, wide.raw());
      Values want, want_wide;
      for (std::uint64_t i = first; i < first + static_cast<std::uint64_t>(n); ++i) {
        want.push_back(static_cast<float>(value(math::bits32(key, i))));
        want_wide.push_back(value(math::bits64(key, i)));
      }
      EXPECT_EQ(narrow.values(), want);
      EXPECT_EQ(wide.values(), want_wide);
    };
    check(Distribution::uniform, 0, 1, [](auto w) { return math::unit(w); });
    check(Distribution::normal, 1, 2,
          [](auto w) { return math::multiply_add(math::normal(math::open_unit(w)), 2, 1); });
    check(Distribution::truncated_normal, 0, 3,
          [](auto w) { return math::truncated_scaled(math::normal(math::truncated_p(math::open_unit(w)))) * 3; });
    check(Distribution::gumbel, 0, 1, [](auto w) { return math::gumbel(math::open_unit(w)); });
    d.random(Distribution::bits, key, 0, 0, 0, whole.raw());
    EXPECT_EQ(static_cast<std::uint32_t>(static_cast<std::int32_t>(whole.values()[5])), math::bits32(key, 5));
  });
}

TEST_F(RandomNumbers, UniformDrawsStayBelowTheirUpperEnd) {
  each([](Backend& d) {
    const std::int64_t n = 20000;
    for (const DType t : floats) {
      const Array x(d, t, {n}, zeros(n));
      d.random(Distribution::uniform, 9, 0, -1, 3, x.raw());
      for (const double v : x.values()) ASSERT_TRUE(v >= -1 && v < 3) << v;
    }
  });
}

}  // namespace
}  // namespace plumb::test
