// How errors are put into words.
#include "core/errors.h"

namespace plumb {
namespace {

std::string in_words(const std::string& what, const std::string& where, const std::string& hint) {
  std::string text = where.empty() ? what : where + ": " + what;
  if (!hint.empty()) text += "\n  hint: " + hint;
  return text;
}

}  // namespace

UserError::UserError(std::string what, std::string where, std::string hint)
    : std::runtime_error(in_words(what, where, hint)),
      message_(std::move(what)),
      where_(std::move(where)),
      hint_(std::move(hint)) {}

Bug::Bug(const std::string& what) : std::logic_error("bug in Plumb, please report: " + what) {}

void fail_op(const char* op, const std::string& sentence) { throw UserError(fmt::format("[{}] {}", op, sentence)); }

void bug_at(const char* file, int line, const char* condition) {
  throw Bug(fmt::format("{}:{}: `{}` does not hold", file, line, condition));
}

}  // namespace plumb
