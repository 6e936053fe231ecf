// Reductions, scans, sorting and indexing of every device against plain loops.
#include <numeric>

#include "tests/cuda/device_test.h"

namespace plumb::test {
namespace {

using kernels::Reduce;
class Reductions : public OnDevices {};
class Indexing : public OnDevices {};

TEST_F(Reductions, SumsAndExtremesOverAnyAxes) {
  each([](Backend& d) {
    struct Case {
      Shape x, out;
    };
    const Case cases[] = {{{3, 50, 7}, {3, 1, 7}},
                          {{3, 50, 7}, {1, 1, 1}},
                          {{3, 50, 7}, {3, 50, 1}},
                          {{2, 9000}, {2, 1}},
                          {{9000, 2}, {1, 2}},
                          {{4, 0, 2}, {4, 1, 2}},
                          {{}, {}},
                          {{2, 3, 4, 5}, {1, 3, 1, 5}}};
    for (const DType t : floats) {
      for (const Case& c : cases) {
        const Values x = rounded(normals(numel(c.x), 6), t);
        const std::int64_t n = numel(c.out);
        Values sums = zeros(n), highs(static_cast<std::size_t>(n), -HUGE_VAL),
               lows(static_cast<std::size_t>(n), HUGE_VAL);
        for (std::int64_t i = 0; i < numel(c.x); ++i) {
          std::int64_t rest = i, at = 0;
          for (int k = c.x.size() - 1; k >= 0; --k) {
            if (c.out[k] != 1) at += rest % c.x[k] * row_major(c.out)[k];
            rest /= c.x[k];
          }
          const auto o = static_cast<std::size_t>(at);
          const double v = x[static_cast<std::size_t>(i)];
          sums[o] += v, highs[o] = std::max(highs[o], v), lows[o] = std::min(lows[o], v);
        }
        const Array a(d, t, c.x, x), out(d, t, c.out, zeros(n));
        d.reduce(Reduce::sum, a.raw(), out.raw());
        expect_same_bits([&] { d.reduce(Reduce::sum, a.raw(), out.raw()); }, {&out});
        expect_close(out.values(), sums, 30 * tolerance_of(t) / (t == DType::bf16 ? 30 : 1), to_string(c.x));
        if (numel(c.x) == 0) continue;
        d.reduce(Reduce::max, a.raw(), out.raw());
        EXPECT_EQ(out.values(), highs);
        d.reduce(Reduce::min, a.raw(), out.raw());
        EXPECT_EQ(out.values(), lows);
      }
    }
  });
}

TEST_F(Reductions, ARowsSumDoesNotDependOnItsNeighbours) {
  each([](Backend& d) {
    const Values x = normals(3 * 5000, 7);
    const Array all(d, DType::f32, {3, 5000}, x), sums(d, DType::f32, {3, 1}, zeros(3)),
        one(d, DType::f32, {1, 1}, zeros(1));
    const Array turned(d, DType::f32, {5000, 3}, {1, 5000}, x), turned_sums(d, DType::f32, {1, 3}, zeros(3));
    d.reduce(Reduce::sum, all.raw(), sums.raw());
    d.reduce(Reduce::sum, turned.raw(), turned_sums.raw());
    EXPECT_EQ(sums.values(), turned_sums.values());
    const Array row(d, DType::f32, {1, 5000}, Values(x.begin() + 5000, x.begin() + 10000));
    d.reduce(Reduce::sum, row.raw(), one.raw());
    EXPECT_EQ(one.values()[0], sums.values()[1]);
  });
}

TEST_F(Reductions, NaNWinsAndSumOfSquaresIsDouble) {
  each([](Backend& d) {
    const Array x(d, DType::f32, {3}, {1, std::nan(""), 2}), out(d, DType::f32, {1}, zeros(1));
    d.reduce(Reduce::max, x.raw(), out.raw());
    EXPECT_TRUE(std::isnan(out.values()[0]));
    const Values v = normals(100000, 8);
    const double want = std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
    EXPECT_NEAR(d.sum_of_squares(Array(d, DType::f32, {100000}, v).raw()), want, 1e-9 * want);
    EXPECT_EQ(d.sum_of_squares(Array(d, DType::f64, {0}, {}).raw()), 0);
  });
}

TEST_F(Reductions, ArgMaxTakesTheLowestOfEquals) {
  each([](Backend& d) {
    const Values x = integers(6 * 500, 9, 0, 40);
    const Array a(d, DType::f32, {6, 500}, x), out(d, DType::i64, {6, 1}, zeros(6));
    d.arg_max(a.raw(), 1, out.raw());
    expect_same_bits([&] { d.arg_max(a.raw(), 1, out.raw()); }, {&out});
    Values want;
    for (auto row = x.begin(); row != x.end(); row += 500)
      want.push_back(static_cast<double>(std::max_element(row, row + 500) - row));
    EXPECT_EQ(out.values(), want);
    const Array small(d, DType::f64, {2, 3}, {1, 5, 5, 7, 5, 9}), across(d, DType::i64, {1, 3}, zeros(3));
    d.arg_max(small.raw(), 0, across.raw());
    EXPECT_EQ(across.values(), (Values{1, 0, 1}));
  });
}

TEST_F(Reductions, CumsumRunsEitherWay) {
  each([](Backend& d) {
    const Array x(d, DType::f64, {2, 3}, {1, 2, 3, 4, 5, 6}), out(d, DType::f64, {2, 3}, zeros(6));
    d.cumsum(x.raw(), 1, false, out.raw());
    EXPECT_EQ(out.values(), (Values{1, 3, 6, 4, 9, 15}));
    d.cumsum(x.raw(), 0, true, out.raw());
    EXPECT_EQ(out.values(), (Values{5, 7, 9, 4, 5, 6}));
  });
}

TEST_F(Reductions, ArgsortIsStableBothWays) {
  each([](Backend& d) {
    for (const std::int64_t n : {1, 2, 3, 31, 64, 1000}) {
      const Values x = integers(3 * n, 10, -8, 8);
      const Array a(d, DType::f32, {3, n}, x), out(d, DType::i64, {3, n}, zeros(3 * n));
      for (const bool descending : {false, true}) {
        d.argsort(a.raw(), descending, out.raw());
        expect_same_bits([&] { d.argsort(a.raw(), descending, out.raw()); }, {&out});
        Values want;
        for (std::int64_t r = 0; r < 3; ++r) {
          std::vector<std::int64_t> order(static_cast<std::size_t>(n));
          std::iota(order.begin(), order.end(), 0);
          const double* row = x.data() + r * n;
          std::stable_sort(order.begin(), order.end(),
                           [&](auto i, auto j) { return descending ? row[i] > row[j] : row[i] < row[j]; });
          want.insert(want.end(), order.begin(), order.end());
        }
        EXPECT_EQ(out.values(), want) << n;
      }
    }
  });
}

TEST_F(Reductions, FoldRowsAddsOntoWhatIsThere) {
  each([](Backend& d) {
    const Values x = normals(2 * 3 * 4 * 5, 11), start = normals(10, 12);
    const Array a(d, DType::f64, {2, 3, 4, 5}, x), out(d, DType::f64, {2, 5}, start);
    d.fold_rows(a.raw(), out.raw());
    Values want = start;
    for (std::size_t run = 0; run < 2; ++run)
      for (std::size_t e = 0; e < 12; ++e)
        for (std::size_t i = 0; i < 5; ++i) want[run * 5 + i] += x[(run * 12 + e) * 5 + i];
    expect_close(out.values(), want, 1e-13);
  });
}

TEST_F(Indexing, GatherAndScatterAddAlongAnAxis) {
  each([](Backend& d) {
    const Values x = normals(4 * 6 * 3, 13), index = integers(4 * 5 * 3, 14, 0, 6);
    const Array a(d, DType::f32, {4, 6, 3}, x), i(d, DType::i64, {4, 5, 3}, index),
        out(d, DType::f32, {4, 5, 3}, zeros(60));
    d.gather(a.raw(), i.raw(), 1, out.raw());
    const Array back(d, DType::f32, {4, 6, 3}, zeros(72));
    d.scatter_add(i.raw(), out.raw(), 1, back.raw());
    Values want, sums = zeros(72);
    for (std::size_t k = 0; k < 60; ++k) {
      const std::size_t at = (k / 15 * 6 + static_cast<std::size_t>(index[k])) * 3 + k % 3;
      want.push_back(x[at]);
      sums[at] += x[at];
    }
    EXPECT_EQ(out.values(), want);
    expect_close(back.values(), sums, 1e-6);
  });
}

TEST_F(Indexing, RowsAreTakenAndAddedInOrder) {
  each([](Backend& d) {
    const std::int64_t n = 200;
    const Values table = normals(2 * 7 * 3, 15), index = integers(2 * n, 16, 0, 7), x = normals(2 * n * 3, 17);
    const Array t(d, DType::f32, {2, 7, 3}, table), i(d, DType::i64, {2, n}, index),
        out(d, DType::f32, {2, n, 3}, zeros(6 * n));
    d.take_rows(t.raw(), i.raw(), out.raw());
    const Array g(d, DType::f32, {2, n, 3}, x);
    d.add_to_rows(i.raw(), g.raw(), t.raw());
    Values taken, sums = table;
    for (std::size_t k = 0; k < static_cast<std::size_t>(6 * n); ++k) {
      const std::size_t at =
          (k / static_cast<std::size_t>(3 * n) * 7 + static_cast<std::size_t>(index[k / 3])) * 3 + k % 3;
      taken.push_back(table[at]);
      sums[at] = static_cast<float>(sums[at] + x[k]);  // f32, in order: the same bits
    }
    EXPECT_EQ(out.values(), taken);
    EXPECT_EQ(t.values(), sums);
  });
}

TEST_F(Indexing, RangesAreChecked) {
  each([](Backend& d) {
    const Array i(d, DType::i64, {4}, {0, 3, 6, -1});
    EXPECT_TRUE(d.index_in_range(i.raw(), -1, 7));
    EXPECT_FALSE(d.index_in_range(i.raw(), 0, 7));
    EXPECT_FALSE(d.index_in_range(i.raw(), -1, 6));
  });
}

}  // namespace
}  // namespace plumb::test
