// The seam where a check makes the n-th system call on files fail, or kills the process around it, and learns which
// calls there were. A child gets its fault by PLUMB_FAULT=OP:N[:KIND]: "write:3", "fsync:2:always",
// "rename:1:kill-after". Only tests and `plumb check` set faults.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::files {

using Path = std::filesystem::path;

enum class Op { open, write, fsync, rename, truncate, remove };
constexpr Op all_ops[] = {Op::open, Op::write, Op::fsync, Op::rename, Op::truncate, Op::remove};
std::string_view name_of(Op op);

struct Fault {
  // A write that fails, or is killed within, leaves half its bytes behind. Other calls have no middle.
  enum class Kind { once, always, kill_before, kill_within, kill_after };
  Op op = Op::write;
  int nth = 1;
  Kind kind = Kind::once;
};
void set_fault(std::optional<Fault> fault);  // counts calls from here on
Fault parse_fault(std::string_view text);
std::string to_string(const Fault& fault);  // as PLUMB_FAULT takes it
int calls(Op op);                           // since the last set_fault

struct Call {
  Op op;
  Path path;
};
void record_calls(std::vector<Call>* into);  // from here on; null ends it

// One system call while it is made, for system.cpp.
class FaultyCall {
 public:
  FaultyCall(Op op, const Path& path);  // dies when killed before
  ~FaultyCall();                        // dies when killed after
  FaultyCall(const FaultyCall&) = delete;
  FaultyCall& operator=(const FaultyCall&) = delete;
  bool breaks_off() const;  // in its middle: true when it is to fail, dies when killed within
  std::size_t bytes_before_the_middle(std::size_t bytes) const { return fault_ ? bytes / 2 : bytes; }

 private:
  void die_if(Fault::Kind kind) const;
  std::optional<Fault::Kind> fault_;
};

}  // namespace plumb::files
