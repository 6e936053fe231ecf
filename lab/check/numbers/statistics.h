// Tests of a sample against a distribution, each as a probability that is uniform on [0, 1] when the sample is honest.
#pragma once

#include <cstdint>
#include <vector>

namespace plumb::lab {

// Counts of draws in bins, and the probability of each bin; also, where they are known, those of draws that are a little too
// large or too far apart.
struct Histogram {
  std::vector<std::uint64_t> counts;
  std::vector<double> expected, shifted{}, scaled{};

  std::uint64_t total() const;
};

// Pearson's statistic; neighbouring bins are joined until each expects at least ten draws.
double chi_square_p(const Histogram& h);
// The largest distance of the distribution functions at the ends of bins (Kolmogorov and Smirnov).
double kolmogorov_smirnov_p(const Histogram& h);
// Their squared distance over F (1 - F) (Anderson and Darling), the sample's function a line within each bin.
double anderson_darling_p(const Histogram& h);

// The sample's correlation with what a shift or a change of scale would do: no test finds that with fewer draws (Neyman, Pearson).
double shift_p(const Histogram& h);
double scale_p(const Histogram& h);

double chi_square_tail(double statistic, double degrees_of_freedom);  // P(X > statistic)
double kolmogorov_tail(double root_n_distance);
double anderson_darling_tail(double statistic);

}  // namespace plumb::lab
