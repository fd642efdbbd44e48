#include "controlplane/cli/token_file.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

absl::StatusOr<std::string> ConfigDirectory() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config == '/') {
    return absl::StrCat(config, "/sallyport");
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return absl::StrCat(home, "/.config/sallyport");
  }
  return absl::FailedPreconditionError(
      "neither XDG_CONFIG_HOME nor HOME says where to keep a token");
}

std::string FileIn(const std::string& directory) { return directory + "/tokens.json"; }

// An object of addresses; an empty one when there is no file yet.
absl::StatusOr<nlohmann::json> ReadTokens(const std::string& path) {
  absl::StatusOr<std::string> text = ReadSecretFile(path);
  if (absl::IsNotFound(text.status())) return nlohmann::json::object();
  RETURN_IF_ERROR(text.status());
  auto tokens = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!tokens.is_object()) {
    return absl::DataLossError(absl::StrCat(path, " is damaged: remove it and log in again"));
  }
  return tokens;
}

}  // namespace

absl::Status KeepToken(std::string_view address, std::string_view token, absl::Time expires) {
  ASSIGN_OR_RETURN(std::string directory, ConfigDirectory());
  RETURN_IF_ERROR(EnsurePrivateDirectory(directory));
  ASSIGN_OR_RETURN(nlohmann::json tokens, ReadTokens(FileIn(directory)));
  tokens[std::string(address)] = {{"token", token}, {"expires", absl::ToUnixSeconds(expires)}};
  return WriteFileAtomically(FileIn(directory), tokens.dump(1), 0600);
}

absl::StatusOr<std::string> BearerToken(std::string_view address) {
  if (const char* token = std::getenv("SALLYPORT_TOKEN"); token != nullptr && *token != '\0') {
    return std::string(token);
  }
  ASSIGN_OR_RETURN(std::string directory, ConfigDirectory());
  ASSIGN_OR_RETURN(nlohmann::json tokens, ReadTokens(FileIn(directory)));
  auto kept = tokens.find(std::string(address));
  if (kept == tokens.end() || !kept->is_object() ||
      !kept->value("token", nlohmann::json()).is_string()) {
    return absl::UnauthenticatedError(absl::StrCat(
        "no token for ", ToAbsl(address), ": run `sallyport login`, or set SALLYPORT_TOKEN"));
  }
  const auto expires = kept->value("expires", nlohmann::json(0));
  if (!expires.is_number_integer() ||
      absl::FromUnixSeconds(expires.get<int64_t>()) <= absl::Now()) {
    return absl::UnauthenticatedError(absl::StrCat("the token for ", ToAbsl(address),
                                                   " has expired: run `sallyport login` again"));
  }
  return (*kept)["token"].get<std::string>();
}

}  // namespace sallyport::controlplane
