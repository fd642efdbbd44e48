#pragma once

#include <span>

#include "absl/status/status.h"
#include "controlplane/store/connection.h"
#include "migrations/migrations.h"

namespace sallyport::controlplane {

// Applies what has not been applied yet, each migration in a transaction of its own with the line
// that says so. kFailedPrecondition, and nothing is applied, where the file has a migration that
// the program does not know or knows with another checksum.
absl::Status Migrate(Connection& connection, std::span<const migrations::Migration> migrations);

}  // namespace sallyport::controlplane
