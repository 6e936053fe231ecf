// Plots and reports: they say what they are given, fetch nothing, and survive odd values and a missing gnuplot.
#include <cmath>

#include "lab/report/html.h"
#include "tests/files_support.h"

namespace plumb::report {
namespace {

store::RunContent sample(const std::string& name, double shift) {
  store::RunContent run;
  run.name = name;
  run.config = "[run]\nname = \"<b>&\"\n";
  for (const char* metric : {"loss", "val_loss", "learning_rate", "rewards/chosen"}) {
    auto& series = run.rows.metrics[metric];
    series.info = {metric, "nats", ""};
    for (int step = 1; step <= 50; ++step) {
      series.steps.push_back(step);
      series.values.push_back(shift + 1.0 / step);
    }
  }
  run.rows.provenance["isa"] = "avx2";
  run.rows.events.push_back({50, R"({"ending":"finished","entropy_floor":0.75,"sample":"<script>x</script>"})"});
  run.rows.last_step = 50;
  return run;
}

bool without_gnuplot() { return !gnuplot_found(); }

TEST(Plot, DrawsOddValuesToo) {
  if (without_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const double nan = std::nan(""), inf = INFINITY;
  Plot plot{
      .title = "it's a `ls` 'title' \n set output 'x'", .y_label = "", .right_label = "", .curves = {}, .levels = {}};
  EXPECT_NE(svg_of(plot).find("no finite values"), std::string::npos);
  plot.curves = {{"nan", {1, 2, 3}, {nan, inf, -inf}}};
  EXPECT_NE(svg_of(plot).find("no finite values"), std::string::npos);
  plot.curves.push_back({"gap_s & <b>", {1, 2, 3, 4}, {1, nan, 3, 1e308}});
  plot.curves.push_back({"right", {1, 2}, {1e-5, 2e-5}, true});
  plot.levels = {{"floor", 0.5}, {"nowhere", nan}};
  for (const bool log : {false, true}) {
    plot.log_y = plot.log_x = log;
    const std::string svg = svg_of(plot);
    EXPECT_NE(svg.find("it's a `ls` 'title'"), std::string::npos);
    EXPECT_NE(svg.find("gap_s &amp; &lt;b"), std::string::npos);
    EXPECT_EQ(png_of(plot).substr(0, 4), "\x89PNG");
  }
  plot.curves = {{"one", {5}, {0}}};
  EXPECT_NE(svg_of(plot), "");
}

TEST(Plot, KeepsPeaksOfLongCurvesAndStaysSmall) {
  if (without_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  Plot plot{.title = "long", .y_label = "", .right_label = "", .curves = {{"c", {}, {}}}, .levels = {}};
  for (int i = 0; i < 200000; ++i) {
    plot.curves[0].x.push_back(i);
    plot.curves[0].y.push_back(i == 77777 ? 5000 : std::sin(i));
  }
  const std::string svg = svg_of(plot);
  EXPECT_LT(svg.size(), 200000u);
  EXPECT_NE(svg.find("5000"), std::string::npos);  // the axis reaches the peak
}

TEST(Report, OfOneRunIsSelfContained) {
  const std::string html = html_of(page_of({sample("my run", 1)}));
  for (const char* part : {"<h1>my run</h1>", "entropy floor", "Sample", "&lt;script&gt;x&lt;/script&gt;", "isa: avx2",
                           "name = &quot;&lt;b&gt;&amp;&quot;", "finished"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  for (const char* part : {"<script", "src=", "@import", "<?xml", "<link"}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(html.find("id='gpPt"), std::string::npos);  // several pictures share the page
}

TEST(Report, OfSeveralRunsOverlaysThem) {
  const auto plots = plots_of({sample("a", 1), sample("b", 2)});
  ASSERT_EQ(plots.size(), 4u);
  EXPECT_EQ(plots[0].title, "val_loss");
  ASSERT_EQ(plots[0].curves.size(), 2u);
  EXPECT_EQ(plots[0].curves[1].label, "b");
  EXPECT_EQ(plots[0].levels.size(), 1u);
  const Page page = page_of({sample("a", 1), sample("b", 2)});
  EXPECT_EQ(page.tables[0].rows.size(), 2u);
  EXPECT_THROW(page_of({}), UserError);
}

TEST(Report, OfSeveralRunsNamesTheKeysOnWhichTheyDisagree) {
  auto a = sample("a", 1), b = sample("b", 2);
  a.config = "[run]\nsteps = 5\n[optim]\nlr = 0.1\n";
  b.config = "[run]\nsteps = 5\n[optim]\nlr = 0.2\nrule = \"lion\"\n";
  const Page page = page_of({a, b});
  ASSERT_EQ(page.tables.size(), 2u);
  EXPECT_EQ(page.tables[1].header, (std::vector<std::string>{"key", "a", "b"}));
  EXPECT_EQ(page.tables[1].rows,
            (std::vector<std::vector<std::string>>{{"optim.lr", "0.1", "0.2"}, {"optim.rule", "", "\"lion\""}}));
  EXPECT_EQ(page_of({a, a}).tables.size(), 1u);
}

TEST(Report, FallsBackToTablesWithoutGnuplot) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nonexistent", 1);
  EXPECT_FALSE(gnuplot_found());
  const std::string html = html_of(page_of({sample("a", 1)}));
  const std::string error = test::error_of([] { svg_of({}); });
  setenv("PATH", path.c_str(), 1);
  EXPECT_NE(html.find("gnuplot is not installed"), std::string::npos);
  EXPECT_NE(html.find("<th>curve</th>"), std::string::npos);
  EXPECT_NE(error.find("hint: install it"), std::string::npos);
}

}  // namespace
}  // namespace plumb::report
