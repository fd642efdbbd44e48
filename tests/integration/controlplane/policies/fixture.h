#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/denial.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/policies/apply_policy.h"
#include "controlplane/policies/delete_document.h"
#include "controlplane/policies/read_documents.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/meta.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {

// The documents' use cases over a real control.db; the realm okta has people, ci has none.
struct Fixture {
  TempDir dir;
  FakeClock clock;
  std::unique_ptr<Database> control = *Database::Open(dir / "control.db", migrations::Control());
  const Caller admin{LocalAdminCaller{.uid = 0}, ""};
  const Caller nobody{PersonCaller{.may_manage = true, .is_auditor = true}, "10.0.0.1"};
  ApplyPolicy apply{
      *control,
      clock,
      {.all = {"okta", "ci"}, .with_people = {"okta"}, .claims = {{"okta", {"team"}}}}};
  DeleteDocument remove{*control, clock};
  ReadDocuments read{*control};

  absl::StatusOr<admin::v1::ApplyDocumentsResponse> Apply(std::string_view yaml,
                                                          bool dry_run = false) {
    admin::v1::ApplyDocumentsRequest request;
    auto& file = *request.add_files();
    file.set_name("f.yaml");
    file.set_text(std::string(yaml));
    request.set_dry_run(dry_run);
    return apply.Run(admin, request);
  }

  absl::StatusOr<types::v1::Document> Get(types::v1::DocumentKind kind, const std::string& name) {
    admin::v1::GetDocumentRequest request;
    request.set_kind(kind);
    request.set_name(name);
    auto response = read.Run(request);
    if (!response.ok()) return response.status();
    return response->document();
  }

  absl::Status Delete(types::v1::DocumentKind kind, const std::string& name) {
    admin::v1::DeleteDocumentRequest request;
    request.set_kind(kind);
    request.set_name(name);
    return remove.Run(admin, request).status();
  }

  void PutAgent(const std::string& name, std::vector<std::string> servers) {
    const auto t = *control->Write();
    REQUIRE(agents::Put(*t, {.name = name,
                             .servers = std::move(servers),
                             .enrolled_at = clock.Now(),
                             .certificate_expires_at = clock.Now()})
                .ok());
    REQUIRE(t->Commit().ok());
  }

  uint64_t SnapshotVersion() { return meta::CurrentSnapshot(**control->Read())->version; }
};

inline std::string APolicy(const std::string& name, const std::string& more = "",
                           const std::string& realm = "okta",
                           const std::string& servers = "[wiki]") {
  return "kind: Policy\nname: " + name + "\nspec:\n  principals: [{realm: " + realm +
         "}]\n  servers: " + servers + "\n" + more + "\n";
}

}  // namespace sallyport::controlplane
