// A study is a sweep, and the claims that its results are judged by; one file lab/study/NAME.cpp registers it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/study/statistics.h"
#include "lab/sweep/sweep.h"

namespace plumb::lab {

// What was measured for one condition of a claim.
struct Criterion {
  std::string text;    // "loss at 0.1, none - qk_norm, above 0.1"
  Interval measured;   // mean over seeds, with its 95 % bootstrap interval
  std::int64_t n = 0;  // seeds
  std::string test;    // "paired t 4.70, p 0.005, 5 of 5 seeds"
  bool holds = false;
};

struct Claim {
  std::string text, setup, expected;  // expected: the figures of the paper or of the prototype
  std::vector<Criterion> criteria;    // all must hold
  bool holds() const;
};

// The results of a sweep by the names of their points.
class StudyData {
 public:
  using Place = std::map<std::string, std::string>;  // axis -> name of the point; the axis run.seed is left out
  enum class Metric { val_loss, max_attn_logit_block0 };

  StudyData(const SweepPlan& plan, const std::vector<MemberResult>& results) : plan_(plan), results_(results) {}
  // By seed. A loss that is not finite, or above the initial one, counts as the initial one. Bug for a place that is none.
  std::vector<double> by_seed(const Place& place, Metric metric = Metric::val_loss) const;

 private:
  const SweepPlan& plan_;
  const std::vector<MemberResult>& results_;
};

struct Study {
  std::string name;  // "29/qk_norm"
  std::string title, source;
  std::string config;  // of the sweep, under examples/
  std::vector<Claim> (*judge)(const StudyData& data);
};
struct StudyRegistration {
  explicit StudyRegistration(Study study);
};
const std::vector<Study>& studies();  // by name

// The file of a study's sweep: under examples/ here, beside the program, or where it was installed.
std::string find_example(const std::string& path);

// study.html in `folder`: the claims, then what the report of the sweep shows.
std::string write_study_report(const Study& study, const std::vector<Claim>& claims, const SweepPlan& plan,
                               const std::vector<MemberResult>& results, const std::string& folder,
                               const std::string& config);

}  // namespace plumb::lab
