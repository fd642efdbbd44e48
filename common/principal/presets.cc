#include "common/principal/presets.h"

#include <utility>
#include <vector>

namespace sallyport {
namespace {

// That of an entry without one, and Okta.
std::vector<Preset> Okta() {
  return {
      {
          .name = "",
          .types = {"at+jwt", "jwt", ""},
          .subject = {{"sub"}},
          .client_id = {{"cid"}, {"client_id"}, {"azp"}, {"appid"}},
          .scopes = {{"scp"}, {"scope"}},
          .groups = {{"groups"}},
          .token_id = {{"jti"}},
      },
      {
          // `sub` of a person's access token is the login name, which changes; `uid` is not, and it
          // is the `sub` of his ID token.
          .name = "okta",
          .types = {"", "jwt"},
          .subject = {{"uid"}, {"sub"}},
          .client_id = {{"cid"}},
          .scopes = {{"scp"}},
          .groups = {{"groups"}},
          .token_id = {{"jti"}},
          .user_if = {{.present = {"uid"}}},
      },
      {
          .name = "okta-rfc9068",
          .types = {"at+jwt"},
          .subject = {{"sub"}},
          .client_id = {{"client_id"}, {"cid"}},
          .scopes = {{"scope"}, {"scp"}},
          .groups = {{"groups"}},
          .token_id = {{"jti"}},
      },
  };
}

std::vector<Preset> Entra() {
  return {
      {
          // Only people's tokens have `scp`; an application's may say so with `idtyp`.
          .name = "entra-v2",
          .types = {"jwt", ""},
          .subject = {{"oid"}},
          .client_id = {{"azp"}, {"appid"}},
          .scopes = {{"scp"}},
          .groups = {{"roles"}},
          .token_id = {{"uti"}},
          .must_bind = {{"tid"}},
          .user_if = {{.present = {"scp"}}},
      },
      {
          .name = "entra-v1",
          .types = {"jwt", ""},
          .subject = {{"oid"}},
          .client_id = {{"azp"}, {"appid"}},
          .scopes = {{"scp"}},
          .groups = {{"roles"}},
          .token_id = {{"uti"}},
          .user_if = {{.present = {"scp"}}},
      },
  };
}

std::vector<Preset> Auth0AndKeycloak() {
  return {
      {
          .name = "auth0",
          .types = {"jwt", ""},
          .subject = {{"sub"}},
          .client_id = {{"azp"}, {"client_id"}},
          .scopes = {{"scope"}},
          .groups = {{"permissions"}},
      },
      {
          .name = "auth0-rfc9068",
          .types = {"at+jwt"},
          .subject = {{"sub"}},
          .client_id = {{"client_id"}, {"azp"}},
          .scopes = {{"scope"}},
          .groups = {{"permissions"}},
          .token_id = {{"jti"}},
      },
      {
          .name = "keycloak",
          .types = {"jwt", ""},
          .subject = {{"sub"}},
          .client_id = {{"azp"}},
          .scopes = {{"scope"}},
          .groups = {{"realm_access", "roles"}, {"groups"}},
          .token_id = {{"jti"}},
      },
  };
}

std::vector<Preset> Pipelines() {
  return {
      {
          .name = "github-actions",
          .kind = TokenKind::kWorkload,
          .types = {"jwt"},
          .subject = {{"sub"}},
          .client_id = {{"repository_id"}},
          .token_id = {{"jti"}},
          .derived = {{{"environment"}, "gh-env:"}, {{"repository"}, "gh-repo:"}},
          .must_bind = {{"repository_owner_id"}},
      },
      {
          .name = "gitlab-ci",
          .kind = TokenKind::kWorkload,
          .types = {"jwt"},
          .subject = {{"sub"}},
          .client_id = {{"project_id"}},
          .token_id = {{"jti"}},
          .derived = {{{"environment"}, "gl-env:"}},
          .bound = {{{"ref_protected"}, "true"}},
          .must_bind = {{"namespace_id"}},
      },
  };
}

std::vector<Preset> Platforms() {
  return {
      {
          .name = "google-sa",
          .kind = TokenKind::kWorkload,
          .types = {"jwt"},
          .subject = {{"sub"}},
          .client_id = {{"email"}},
          .bound = {{{"email_verified"}, true}},
      },
      {
          .name = "kubernetes",
          .kind = TokenKind::kWorkload,
          .types = {"", "jwt"},
          .subject = {{"sub"}},
          .client_id = {{"kubernetes.io", "serviceaccount", "uid"}},
          .token_id = {{"jti"}},
          .derived = {{{"kubernetes.io", "namespace"}, "k8s-ns:"}},
          .is_own_issuer = true,
      },
      {
          .name = "aws-sts",
          .kind = TokenKind::kWorkload,
          .types = {"jwt", ""},
          .subject = {{"sub"}},
          .client_id = {{"sub"}},
          .token_id = {{"jti"}},
          .derived = {{{"https://sts.amazonaws.com/", "principal_tags", "team"}, "aws-team:"}},
          .must_bind = {{"https://sts.amazonaws.com/", "aws_account"}},
      },
      {
          .name = "spiffe",
          .kind = TokenKind::kWorkload,
          .types = {"jwt", ""},
          .subject = {{"sub"}},
          .client_id = {{"sub"}},
          .is_own_issuer = true,
      },
  };
}

const std::vector<Preset>& Presets() {
  static const std::vector<Preset>& presets = *[] {
    auto* all = new std::vector<Preset>;
    for (auto* family : {Okta, Entra, Auth0AndKeycloak, Pipelines, Platforms})
      for (Preset& preset : family()) all->push_back(std::move(preset));
    return all;
  }();
  return presets;
}

}  // namespace

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const Preset& preset : Presets()) {
    if (!preset.name.empty()) names.emplace_back(preset.name);
  }
  return names;
}

const Preset* FindPreset(std::string_view name) {
  for (const Preset& preset : Presets()) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

}  // namespace sallyport
