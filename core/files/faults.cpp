// Which call meets the fault, and how faults are written.
#include "core/files/faults.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <iterator>

#include "core/errors.h"

namespace plumb::files {
namespace {

constexpr std::array<std::string_view, 6> op_names{"open", "write", "fsync", "rename", "truncate", "remove"};
constexpr std::array<std::string_view, 5> kind_names{"once", "always", "kill-before", "kill-within", "kill-after"};
static_assert(op_names.size() == std::size(all_ops));

std::array<std::atomic<int>, op_names.size()> counts{};
std::vector<Call>* recorded = nullptr;

std::optional<Fault>& armed() {
  static std::optional<Fault> fault = [] {
    const char* text = std::getenv("PLUMB_FAULT");
    return text && *text ? std::optional(parse_fault(text)) : std::nullopt;
  }();
  return fault;
}

template <std::size_t n>
std::optional<std::size_t> index_of(std::string_view name, const std::array<std::string_view, n>& names) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return {};
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

std::string_view name_of(Op op) { return op_names[static_cast<std::size_t>(op)]; }

void set_fault(std::optional<Fault> fault) {
  armed() = fault;
  for (auto& count : counts) count = 0;
}

Fault parse_fault(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto op = index_of(text.substr(0, colon), op_names);
  Fault fault;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(std::min(text.data() + colon + 1, end), end, fault.nth);
  const std::string_view kind_text =
      rest == end ? ":once" : std::string_view(rest, static_cast<std::size_t>(end - rest));
  const auto kind = index_of(kind_text.substr(1), kind_names);
  if (!op || !kind || kind_text[0] != ':' || error != std::errc() || fault.nth < 1)
    throw UserError(fmt::format("fault '{}' is not understood", text), "PLUMB_FAULT",
                    fmt::format("write OP:N or OP:N:KIND, where OP is one of {}, and KIND one of {}",
                                fmt::join(op_names, ", "), fmt::join(kind_names, ", ")));
  fault.op = static_cast<Op>(*op);
  fault.kind = static_cast<Fault::Kind>(*kind);
  return fault;
}

std::string to_string(const Fault& fault) {
  return fmt::format("{}:{}:{}", name_of(fault.op), fault.nth, kind_names[static_cast<std::size_t>(fault.kind)]);
}

int calls(Op op) { return counts[static_cast<std::size_t>(op)]; }

void record_calls(std::vector<Call>* into) { recorded = into; }

FaultyCall::FaultyCall(Op op, const Path& path) {
  const int n = ++counts[static_cast<std::size_t>(op)];
  if (recorded) recorded->push_back({op, path});
  const auto& fault = armed();
  if (!fault || fault->op != op) return;
  if (fault->kind == Fault::Kind::always ? n >= fault->nth : n == fault->nth) fault_ = fault->kind;
  die_if(Fault::Kind::kill_before);
}

FaultyCall::~FaultyCall() { die_if(Fault::Kind::kill_after); }

bool FaultyCall::breaks_off() const {
  die_if(Fault::Kind::kill_within);
  return fault_ == Fault::Kind::once || fault_ == Fault::Kind::always;
}

void FaultyCall::die_if(Fault::Kind kind) const {
  if (fault_ == kind) std::raise(SIGKILL);
}

}  // namespace plumb::files
