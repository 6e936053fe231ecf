// The two kinds of error: the user's (what, where, the way out) and ours (a bug, with the state).
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace plumb {

// Something the caller can mend. `where` is a file:line:column or an operator; `hint` says what to do. Both may be empty.
class UserError : public std::runtime_error {
 public:
  explicit UserError(std::string what, std::string where = {}, std::string hint = {});
  const std::string& message() const { return message_; }
  const std::string& where() const { return where_; }
  const std::string& hint() const { return hint_; }

 private:
  std::string message_, where_, hint_;
};

// A broken invariant of Plumb itself.
class Bug : public std::logic_error {
 public:
  explicit Bug(const std::string& what);
};

// Memory that could not be had: says how much was asked for and by whom.
class OutOfMemory : public UserError {
 public:
  using UserError::UserError;
};

// Throws UserError("[op] sentence").
[[noreturn]] void fail_op(const char* op, const std::string& sentence);

template <class... Args>
[[noreturn]] void fail(const char* op, fmt::format_string<Args...> format, Args&&... args) {
  fail_op(op, fmt::format(format, std::forward<Args>(args)...));
}

[[noreturn]] void bug_at(const char* file, int line, const char* condition);

}  // namespace plumb

// An invariant of ours; stays on in release builds.
#define PLUMB_ASSERT(condition) \
  do { \
    if (!(condition)) [[unlikely]] \
      ::plumb::bug_at(__FILE__, __LINE__, #condition); \
  } while (false)
