#pragma once

#include <span>
#include <string_view>

// The schema, as the files in control/ and recordings/, embedded when the program is built so that
// a binary never meets a database it has no schema for.
namespace sallyport::migrations {

struct Migration {
  int number;             // from the file's name, 1 for the first, without a gap
  std::string_view name;  // 0001_create_policies
  std::string_view sql;
  std::string_view sha256;  // of the file's bytes, lower case hex
};

// In order. control.db: everything that decides. recordings.db: what was recorded.
std::span<const Migration> Control();
std::span<const Migration> Recordings();

}  // namespace sallyport::migrations
