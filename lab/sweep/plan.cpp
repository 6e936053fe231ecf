// From lists to members.
#include "lab/sweep/plan.h"

#include <algorithm>
#include <set>

#include "lab/config/read.h"

namespace plumb::lab {
namespace {

constexpr std::size_t most_members = 100'000;

[[noreturn]] void refuse(const Location& where, const std::string& what, const std::string& hint) {
  throw UserError(what, where.text(), hint);
}

// What a folder can be called.
std::string folder_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '+' || c == '-' || c == '_';
    if (plain) name += c;
    else if (!name.empty() && name.back() != '_') name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

// "lr0.003", "seed0", "layernorm": a value, after its key where it is a number or a switch.
std::string point_name(const std::string& key, const Value& value) {
  if (const auto* text = value.as_text()) return folder_name(*text);
  return folder_name(key.substr(key.rfind('.') + 1) + write_toml_value(value));
}

class Reader {
 public:
  explicit Reader(const std::vector<FieldInfo>& keys) {
    for (const auto& k : keys) known_.push_back(k.path);
  }

  // Tables inside [sweep] are dotted keys: model.width = [..] without quotes.
  void read(const Table& table, const std::string& path) {
    for (const auto& [key, value, where] : table) {
      const std::string name = path.empty() ? key : path + "." + key;
      if (value.is_table()) read(value.table(), name);
      else add(name, value, where);
    }
  }
  std::vector<SweepAxis> axes;

 private:
  void add(const std::string& name, const Value& value, const Location& where) {
    const bool is_key = std::ranges::count(known_, name) > 0;
    if (!value.is_list() || value.list().empty())
      refuse(where,
             fmt::format("sweep.{} must be a list of at least one value, not {}", name,
                         value.is_list() ? "an empty one" : value.kind()),
             "what all members share stands outside of [sweep]");
    SweepAxis axis{.name = name, .points = {}};
    std::set<std::string> names;
    for (const Value& v : value.list()) {
      if (v.is_table() == is_key)
        refuse(v.where,
               is_key ? fmt::format("sweep.{} takes values of that key, not {}", name, v.kind())
                      : fmt::format("\"{}\" is no key of the configuration, and {} names no keys", name, v.kind()),
               hint_for(name));
      axis.points.push_back(v.is_table() ? bundle(name, v) : SweepPoint{point_name(name, v), {{name, v}}});
      if (!names.insert(axis.points.back().name).second)
        refuse(v.where, fmt::format("sweep.{} holds \"{}\" twice", name, axis.points.back().name),
               "give each point once, with a name of its own");
    }
    for (const auto& p : axis.points)
      for (const auto& setting : p.settings) claim(setting.first, name, where);
    axes.push_back(std::move(axis));
  }

  SweepPoint bundle(const std::string& axis, const Value& table) const {
    SweepPoint point;
    flatten(axis, table.table(), "", point);
    if (point.name.empty())
      refuse(table.where, fmt::format("a point of sweep.{} has no name", axis), "add name = \"...\" to it");
    return point;
  }
  void flatten(const std::string& axis, const Table& table, const std::string& path, SweepPoint& point) const {
    for (const auto& [key, value, where] : table) {
      const std::string name = path.empty() ? key : path + "." + key;
      if (name == "name") {
        if (!value.as_text() || folder_name(*value.as_text()).empty())
          refuse(where, fmt::format("the name of a point of sweep.{} must be a text of letters and digits", axis), "");
        point.name = folder_name(*value.as_text());
      } else if (value.is_table()) {
        flatten(axis, value.table(), name, point);
      } else if (std::ranges::count(known_, name) == 0) {
        refuse(where, fmt::format("\"{}\" is no key of the configuration", name), hint_for(name));
      } else {
        point.settings.emplace_back(name, value);
      }
    }
  }

  void claim(const std::string& key, const std::string& axis, const Location& where) {
    const auto at = std::ranges::find(claimed_, key, &std::pair<std::string, std::string>::first);
    if (at == claimed_.end()) claimed_.emplace_back(key, axis);
    else if (at->second != axis)
      refuse(where, fmt::format("sweep.{} and sweep.{} both set {}", at->second, axis, key), "let one of them do it");
  }

  std::string hint_for(const std::string& name) const {
    const std::string near = nearest_name(name, known_);
    return near.empty() ? "an axis is a key (\"schedule.lr\" = [..]), or has points that set keys: "
                          "size = [{ name = \"w32\", \"model.width\" = 32 }]"
                        : fmt::format("do you mean \"{}\"?", near);
  }

  std::vector<std::string> known_;
  std::vector<std::pair<std::string, std::string>> claimed_;  // key, axis
};

SweepMember member_of(const Value& base, const std::vector<SweepAxis>& axes, std::vector<std::size_t> at) {
  SweepMember member;
  Value root = base;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const SweepPoint& p = axes[a].points[at[a]];
    member.name += (member.name.empty() ? "" : "-") + p.name;
    for (const auto& [key, value] : p.settings) root.set(key, value);
  }
  root.set("run.on_divergence", "record");
  member.at = std::move(at);
  try {
    plumb::read(root, member.config);
  } catch (const UserError& e) {
    throw UserError(fmt::format("{} (member {} of the sweep)", e.message(), member.name), e.where(), e.hint());
  }
  return member;
}

}  // namespace

int SweepPlan::axis_of(const std::string& key) const {
  for (std::size_t a = 0; a < axes.size(); ++a)
    if (axes[a].name == key) return static_cast<int>(a);
  return -1;
}

SweepPlan plan_sweep(const Value& root) {
  const Value* sweep = root.find("sweep");
  if (!sweep || !sweep->is_table() || sweep->table().empty())
    throw UserError("the configuration has no table [sweep]", sweep ? sweep->where.text() : std::string(),
                    "add one: [sweep] with \"run.seed\" = [0, 1, 2], say; `plumb train` runs a single one");
  Value base = root;
  base.remove("sweep");
  SweepPlan plan;
  RunConfig any;
  Reader reader(list_all_fields(visit_of(any)));
  reader.read(sweep->table(), "");
  plan.axes = std::move(reader.axes);
  std::size_t count = 1;
  for (const auto& axis : plan.axes) {
    count *= axis.points.size();
    if (count > most_members)
      refuse(sweep->where, fmt::format("the sweep has more than {} members", most_members), "sweep in parts");
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::size_t> at(plan.axes.size());
    for (std::size_t a = plan.axes.size(), rest = i; a-- > 0; rest /= plan.axes[a].points.size())
      at[a] = rest % plan.axes[a].points.size();
    plan.members.push_back(member_of(base, plan.axes, std::move(at)));
    if (!names.insert(plan.members.back().name).second)
      refuse(sweep->where, fmt::format("two members are called {}", plan.members.back().name),
             "give the points names that differ");
  }
  return plan;
}

}  // namespace plumb::lab
