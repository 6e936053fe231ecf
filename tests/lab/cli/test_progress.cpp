// What a person sees of a run, and how a run is asked to stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>

#include "lab/progress.h"
#include "lab/signals.h"

namespace plumb {
namespace {

using testing::HasSubstr;

// Runs `use` on a progress whose clock only moves when told; returns what was written.
template <class Use>
std::string shown(ProgressOptions options, Use&& use) {
  char* text = nullptr;
  std::size_t size = 0;
  options.out = ::open_memstream(&text, &size);
  double now = 100;
  options.clock = [&now] { return now; };
  {
    Progress progress(options);
    use(progress, now);
  }
  std::fclose(options.out);
  const std::string result(text, size);
  std::free(text);
  return result;
}

TEST(Progress, ALogGetsALineEveryFewSeconds) {
  const auto text = shown({.steps = 100, .width = 0}, [](Progress& p, double& now) {
    for (int step = 1; step <= 50; ++step) {
      now += 1;
      p.update({.step = step, .loss = 2.5, .tokens_per_second = 12345, .share_of_peak = 0.814});
    }
    p.finish();
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6);  // at 1, 11, 21, 31, 41 and the end
  EXPECT_THAT(text, HasSubstr("step 11/100  loss 2.5000  12.3k tokens/s  81 % of peak  1 min 29 s left\n"));
  EXPECT_THAT(text, HasSubstr("step 50/100  loss 2.5000  12.3k tokens/s  81 % of peak  50 s left  in 50 s\n"));
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, ATerminalGetsABarThatFits) {
  const auto text = shown({.steps = 10, .width = 60}, [](Progress& p, double& now) {
    now += 1;
    p.update({.step = 5, .loss = 1});
    p.note("saved");
  });
  EXPECT_THAT(text, HasSubstr("\r\x1b[K["));
  EXPECT_THAT(text, HasSubstr("] step 5/10  loss 1.0000"));
  EXPECT_THAT(text, HasSubstr("\r\x1b[Ksaved\n"));
  EXPECT_EQ(text.back(), '\n');
  const auto narrow = shown({.steps = 10, .width = 12}, [](Progress& p, double&) { p.update({.step = 5, .loss = 1}); });
  EXPECT_EQ(narrow, "\r\x1b[Kstep 5/10\n");
}

// The line of a long run, as long as it gets, on terminals of several widths.
TEST(Progress, ANarrowTerminalLosesWholeFieldsAndTheLeastFirst) {
  const auto drawn = [](int width) {
    const auto text = shown({.steps = 20000, .width = width}, [](Progress& p, double& now) {
      now += 3725;
      p.update({.step = 10000, .loss = 10.25, .tokens_per_second = 123456, .share_of_peak = 0.814});
    });
    return text.substr(4, text.size() - 5);  // without "\r\x1b[K" and the last "\n"
  };
  EXPECT_EQ(drawn(12), "step 10000/");  // not even the step fits
  EXPECT_EQ(drawn(20), "step 10000/20000");
  EXPECT_EQ(drawn(40), "step 10000/20000  loss 10.2500");
  EXPECT_EQ(drawn(50), "step 10000/20000  loss 10.2500  1 h 02 min left");
  EXPECT_EQ(drawn(70), "step 10000/20000  loss 10.2500  123.5k tokens/s  1 h 02 min left");
  EXPECT_EQ(drawn(78), drawn(70));  // the last column stays free, else a terminal wraps
  EXPECT_EQ(drawn(79), drawn(80));
  EXPECT_EQ(drawn(80), "step 10000/20000  loss 10.2500  123.5k tokens/s  81 % of peak  1 h 02 min left");
  EXPECT_EQ(drawn(200), "[###############...............] " + drawn(80));
}

TEST(Progress, QuietWritesNothing) {
  EXPECT_EQ(shown({.steps = 10, .quiet = true, .width = 60},
                  [](Progress& p, double& now) {
                    now += 1;
                    p.update({.step = 5});
                    p.note("saved");
                    p.finish();
                  }),
            "");
}

TEST(Progress, AResumedRunJudgesTimeByItsOwnSteps) {
  const auto text = shown({.steps = 100, .first_step = 90, .width = 0}, [](Progress& p, double& now) {
    now += 5;
    p.update({.step = 95});
  });
  EXPECT_THAT(text, HasSubstr("step 95/100  5.0 s left"));
}

TEST(Progress, DurationsAndCountsRead) {
  EXPECT_EQ(duration_text(3), "3.0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
  EXPECT_EQ(duration_text(-1), "?");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(999.9e3), "999.9k");
  EXPECT_EQ(count_text(2.5e9), "2.5G");
}

TEST(Signals, TheFirstSetsTheFlag) {
  watch_signals();
  clear_stop();
  EXPECT_FALSE(stop_requested());
  ::raise(SIGTERM);
  EXPECT_TRUE(stop_requested());
  clear_stop();
}

TEST(SignalsDeathTest, TheSecondEndsAtOnce) {
  EXPECT_EXIT(
      {
        watch_signals();
        clear_stop();
        ::raise(SIGINT);
        ::raise(SIGINT);
        ::pause();
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace plumb
