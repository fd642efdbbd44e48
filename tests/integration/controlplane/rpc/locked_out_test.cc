#include "common/denial.h"
#include "controlplane/rpc/method_table.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"
#include "sallyport/admin/v1/approval_service.grpc.pb.h"
#include "tests/integration/controlplane/rpc/any_method.h"

namespace sallyport::controlplane {
namespace {

constexpr char kDeleteDocument[] = "sallyport.admin.v1.PolicyService/DeleteDocument";
constexpr char kListSessions[] = "sallyport.admin.v1.SessionService/ListSessions";

constexpr char kPolicy[] = R"(kind: Policy
name: bots
spec:
  principals: [{realm: corp, client_ids: [bot]}]
  servers: [wiki]
  session: {open: request, bind: principal, approval: {approvers: ["corp:approvers"]}}
  rules: [{allow: {tools: ["*"]}}]
)";

types::v1::DenialReason ReasonFor(const grpc::Status& status) {
  // gRPC passes no details on from where it asks before the message.
  if (status.error_message().starts_with("locked: ")) return types::v1::DENIAL_REASON_LOCKED;
  return ReasonOf(FromGrpcStatus(status));
}

bool IsLocked(const grpc::Status& status) {
  return ReasonFor(status) == types::v1::DENIAL_REASON_LOCKED;
}

void Lock(Deployment& deployment, const std::string& spec, const std::string& name = "stolen") {
  deployment.Apply(absl::StrCat("kind: Lock\nname: ", name, "\nspec: ", spec, "\n"));
}

TEST_CASE("whom a lock shuts out may do nothing at the people's door", "[integration][rpc]") {
  Deployment deployment;
  const std::string ann = deployment.PersonToken("ann", {"admins", "approvers", "auditors"});
  const std::string bot = deployment.BotToken("bot");
  Lock(deployment, "{principal: {realm: corp, subject: ann}}");
  Lock(deployment, "{principal: {realm: corp, client_id: bot}}", "leaked");
  const auto people = deployment.People();
  std::size_t asked = 0;
  for (const MethodRow& row : MethodTable()) {
    if (row.people == Who::kNobody || row.people == Who::kAnybody) continue;
    INFO(row.method);
    const bool is_bots = row.people == Who::kCaller;
    CHECK(IsLocked(Call(people, row.method, is_bots ? bot : ann)));
    ++asked;
  }
  CHECK(asked > 30);
  // The machine is the way back in.
  CHECK(Call(deployment.AdminSocket(), kListSessions).ok());
  // More than ten in a minute share one line, which says of how many.
  std::size_t told = 0;
  bool has_summary = false;
  for (const audit_log::Line& line : deployment.StopAndReadAudit()) {
    if (line.actor != "user:corp:ann") continue;
    CHECK(line.denial_reason == types::v1::DENIAL_REASON_LOCKED);
    has_summary |= line.action == "requests.refused";
    if (line.action != "api.refuse") continue;
    ++told;
    CHECK(line.detail == "the lock stolen shuts you out");
    CHECK(line.address == "127.0.0.1");
    CHECK(FindMethod(line.object) != nullptr);
  }
  CHECK(told == 10);
  CHECK(has_summary);
}

TEST_CASE("only a lock that names principals, and nothing else, shuts people out",
          "[integration][rpc]") {
  Deployment deployment;
  const std::string ann = deployment.PersonToken("ann", {"admins"});
  const auto people = deployment.People();
  const auto is_locked = [&] { return IsLocked(Call(people, kListSessions, ann)); };
  // The kill switch, too: who is there to delete it must be let in.
  for (const char* spec :
       {"{}", "{server: wiki}", "{agent: a}",
        "{principal: {realm: corp, subject: ann}, server: wiki}",
        "{principal: {realm: corp, subject: ann}, agent: a}",
        "{principal: {realm: corp, subject: bob}}", "{principal: {realm: corp, kind: service}}",
        "{principal: {realm: corp, subject: ann}, expires: 2020-01-01T00:00:00Z}"}) {
    INFO(spec);
    Lock(deployment, spec);
    CHECK_FALSE(is_locked());
    CHECK_FALSE(IsLocked(Call(people, kDeleteDocument, ann)));
  }
  for (const char* spec :
       {"{principal: {realm: corp}}", "{principal: {realm: corp, name: ann}}",
        "{principal: {realm: corp, kind: user}}",
        "{principal: {realm: corp, subject: ann}, expires: 2999-01-01T00:00:00Z}"}) {
    INFO(spec);
    Lock(deployment, spec);
    CHECK(is_locked());
    CHECK(IsLocked(Call(people, kDeleteDocument, ann)));
  }
  admin::v1::DeleteDocumentRequest remove;
  remove.set_kind(types::v1::DOCUMENT_KIND_LOCK);
  remove.set_name("stolen");
  admin::v1::DeleteDocumentResponse removed;
  REQUIRE(admin::v1::PolicyService::NewStub(deployment.AdminSocket())
              ->DeleteDocument(Deployment::Context().get(), remove, &removed)
              .ok());
  CHECK_FALSE(is_locked());
}

// What an approver watches, who has read of one approval that waits.
struct WatchedApprovals {
  WatchedApprovals() {
    deployment.Enroll("a", {"wiki"});
    deployment.Apply(kPolicy);
    access::v1::OpenSessionRequest request;
    request.set_request_id("0123456789abcdef");
    request.set_server("wiki");
    request.set_reason("to read");
    access::v1::OpenSessionResponse opened;
    const std::string bot = deployment.BotToken("bot");
    REQUIRE(access::v1::AccessService::NewStub(deployment.People())
                ->OpenSession(Deployment::Context(bot).get(), request, &opened)
                .ok());
    REQUIRE(opened.session().state() == types::v1::SESSION_STATE_PENDING);
    context = Deployment::Context(deployment.PersonToken("ann", {"approvers"}));
    stub = admin::v1::ApprovalService::NewStub(deployment.People());
    reader = stub->WatchApprovals(context.get(), admin::v1::WatchApprovalsRequest());
    REQUIRE(reader->Read(&response));
  }

  Deployment deployment;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<admin::v1::ApprovalService::Stub> stub;
  std::unique_ptr<grpc::ClientReader<admin::v1::WatchApprovalsResponse>> reader;
  admin::v1::WatchApprovalsResponse response;
};

TEST_CASE_METHOD(WatchedApprovals, "a stream shows nothing more to whom a lock shuts out",
                 "[integration][rpc]") {
  Lock(deployment, "{principal: {realm: corp, subject: ann}}");
  CHECK_FALSE(reader->Read(&response));
  CHECK(IsLocked(reader->Finish()));
}

TEST_CASE_METHOD(WatchedApprovals,
                 "a stream ends when the issuer withdraws the key of its reader's token",
                 "[integration][rpc]") {
  deployment.ChangeIssuerKey();
  while (reader->Read(&response)) continue;
  CHECK(ReasonFor(reader->Finish()) == types::v1::DENIAL_REASON_TOKEN_INVALID);
}

}  // namespace
}  // namespace sallyport::controlplane
