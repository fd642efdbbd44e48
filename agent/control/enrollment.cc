#include "agent/control/enrollment.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "agent/control/pinned_ca.h"
#include "common/denial.h"
#include "common/file.h"
#include "common/grpc_status.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "common/tls.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"

namespace sallyport::agent {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(10);
constexpr std::chrono::seconds kEnrollTimeout(20);

std::string AgentUri(const std::string& name) { return "spiffe://sallyport/agent/" + name; }

std::string IdentityFile(const std::string& data_dir) { return data_dir + "/agent.pem"; }
std::string CaFile(const std::string& data_dir) { return data_dir + "/ca.pem"; }
std::string FactsFile(const std::string& data_dir) { return data_dir + "/enrollment.json"; }

absl::Status Broken(const std::string& file, std::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(file, ": ", ToAbsl(why)));
}

// Whom the control plane said we are: name, servers, address.
absl::Status SaveFacts(const std::string& data_dir, const Enrollment& enrollment) {
  const nlohmann::json facts = {
      {"name", enrollment.name}, {"servers", enrollment.servers}, {"address", enrollment.address}};
  return WriteFileAtomically(FactsFile(data_dir), facts.dump(2) + "\n");
}

absl::Status LoadFacts(const std::string& data_dir, Enrollment* enrollment) {
  const std::string file = FactsFile(data_dir);
  ASSIGN_OR_RETURN(const std::string text, ReadSecretFile(file));
  const nlohmann::json facts = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto is_text = [&](const char* key) {
    return facts.contains(key) && facts[key].is_string();
  };
  if (!facts.is_object() || !is_text("name") || !is_text("address") || !facts.contains("servers") ||
      !facts["servers"].is_array()) {
    return Broken(file, "not what an enrollment left there");
  }
  enrollment->name = facts["name"].get<std::string>();
  enrollment->address = facts["address"].get<std::string>();
  for (const auto& server : facts["servers"]) {
    if (!server.is_string()) return Broken(file, "not what an enrollment left there");
    enrollment->servers.push_back(server.get<std::string>());
  }
  return absl::OkStatus();
}

// Fills the times, and refuses an identity whose parts do not belong together. Time is judged by
// who uses it.
absl::Status CheckIdentity(const std::string& data_dir, Enrollment* enrollment) {
  const std::string file = IdentityFile(data_dir);
  const auto chain = CertificatesFromPem(enrollment->identity.certificate_chain);
  const auto key = KeyFromPem(enrollment->identity.private_key);
  const auto roots = CertificatesFromPem(enrollment->identity.ca);
  if (!roots.ok()) return Broken(CaFile(data_dir), ToStd(roots.status().message()));
  if (!chain.ok()) return Broken(file, ToStd(chain.status().message()));
  if (!key.ok()) return Broken(file, ToStd(key.status().message()));
  const X509& leaf = *chain->front();
  enrollment->not_before = NotBefore(leaf);
  enrollment->not_after = NotAfter(leaf);
  if (!Matches(leaf, **key)) return Broken(file, "the certificate is for another key");
  if (UriNames(leaf) != std::vector<std::string>{AgentUri(enrollment->name)}) {
    return Broken(file, absl::StrCat("the certificate is not for agent ", enrollment->name));
  }
  // While it held: a certificate that has run out still leads to its CA.
  const absl::Status leads = VerifyChain(leaf, *chain, *roots->front(), enrollment->not_before);
  return leads.ok() ? absl::OkStatus() : Broken(file, ToStd(leads.message()));
}

absl::StatusOr<v1::EnrollResponse> CallEnroll(const JoinString& join, const std::string& ca,
                                              const std::string& certificate_request) {
  const auto stub =
      v1::EnrollmentService::NewStub(OpenChannel(join.address, kEnrollmentDoor, {.ca = ca}));
  v1::EnrollRequest request;
  request.set_secret(join.secret);
  request.set_certificate_request(certificate_request);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kEnrollTimeout);
  v1::EnrollResponse response;
  const grpc::Status status = stub->Enroll(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::StatusOr<JoinString> ReadJoinFile(const std::string& join_token_file,
                                        const std::string& why) {
  if (join_token_file.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(why,
                     ": make a join string with `sallyport agents token create` and name its file "
                     "in control_plane.join_token_file"));
  }
  absl::StatusOr<std::string> text = ReadSecretLine(join_token_file);
  if (!text.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(why, ", and the join string cannot be read: ", text.status().message()));
  }
  absl::StatusOr<JoinString> join = ParseJoinString(*text);
  if (join.ok()) return join;
  return Denied(ReasonOf(join.status()),
                absl::StrCat(join_token_file, ": ", join.status().message()));
}

// The enrollment that holds, or what to enroll with.
absl::StatusOr<std::variant<Enrollment, JoinString>> StartOf(const std::string& data_dir,
                                                             const std::string& join_token_file,
                                                             const Clock& clock) {
  absl::StatusOr<Enrollment> kept = LoadEnrollment(data_dir);
  if (kept.ok() && clock.Now() < kept->not_after) return *std::move(kept);
  if (!kept.ok() && !absl::IsNotFound(kept.status())) return kept.status();
  const std::string why =
      kept.ok() ? absl::StrCat("this agent's certificate ran out at ", TimeText(kept->not_after))
                : "this agent has not enrolled";
  return ReadJoinFile(join_token_file, why);
}

}  // namespace

absl::StatusOr<Enrollment> LoadEnrollment(const std::string& data_dir) {
  absl::StatusOr<std::string> identity = ReadSecretFile(IdentityFile(data_dir));
  if (absl::IsNotFound(identity.status()))
    return absl::NotFoundError("this agent has not enrolled");
  if (!identity.ok()) return absl::FailedPreconditionError(identity.status().message());
  Enrollment enrollment;
  RETURN_IF_ERROR(LoadFacts(data_dir, &enrollment));
  ASSIGN_OR_RETURN(enrollment.identity.ca, ReadFile(CaFile(data_dir)));
  enrollment.identity.private_key = *identity;
  enrollment.identity.certificate_chain = *std::move(identity);
  RETURN_IF_ERROR(CheckIdentity(data_dir, &enrollment));
  // Both stand in one file; gRPC wants each by itself.
  ASSIGN_OR_RETURN(const PrivateKey key, KeyFromPem(enrollment.identity.private_key));
  enrollment.identity.private_key = KeyToPem(*key);
  ASSIGN_OR_RETURN(const std::vector<Certificate> chain,
                   CertificatesFromPem(enrollment.identity.certificate_chain));
  enrollment.identity.certificate_chain.clear();
  for (const Certificate& certificate : chain)
    enrollment.identity.certificate_chain += CertificateToPem(*certificate);
  return enrollment;
}

absl::StatusOr<LinkIdentity> AcceptCertificate(const v1::AgentCertificate& certificate,
                                               const std::string& key_pem, const std::string& ca,
                                               const std::string& agent_name, absl::Time now) {
  ASSIGN_OR_RETURN(const PrivateKey key, KeyFromPem(key_pem));
  ASSIGN_OR_RETURN(const std::vector<Certificate> roots, CertificatesFromPem(ca));
  ASSIGN_OR_RETURN(const std::vector<Certificate> chain, CertificatesFromPem(certificate.chain()));
  const X509& leaf = *chain.front();
  RETURN_IF_ERROR(VerifyChain(leaf, chain, *roots.front(), now));
  if (!Matches(leaf, *key)) return absl::UnauthenticatedError("the certificate is for another key");
  if (UriNames(leaf) != std::vector<std::string>{AgentUri(agent_name)}) {
    return absl::UnauthenticatedError("the certificate is for another agent");
  }
  return LinkIdentity{.private_key = key_pem, .certificate_chain = certificate.chain(), .ca = ca};
}

absl::StatusOr<Enrollment> Enroll(const JoinString& join, const std::string& data_dir,
                                  const Clock& clock) {
  RETURN_IF_ERROR(EnsurePrivateDirectory(data_dir));
  ASSIGN_OR_RETURN(const std::string ca, FetchPinnedCa(join.address, kEnrollmentDoor, join.ca_pin,
                                                       clock.Now(), kConnectTimeout));
  const PrivateKey key = GenerateKey();
  ASSIGN_OR_RETURN(const std::string certificate_request,
                   MakeCertificateRequest(*key, "sallyport-agent"));
  ASSIGN_OR_RETURN(const v1::EnrollResponse response, CallEnroll(join, ca, certificate_request));

  Enrollment enrollment;
  enrollment.name = response.name();
  enrollment.servers.assign(response.servers().begin(), response.servers().end());
  enrollment.address = join.address;
  ASSIGN_OR_RETURN(enrollment.identity, AcceptCertificate(response.certificate(), KeyToPem(*key),
                                                          ca, response.name(), clock.Now()));
  // agent.pem last: it is what says that an agent is enrolled.
  RETURN_IF_ERROR(WriteFileAtomically(CaFile(data_dir), ca));
  RETURN_IF_ERROR(SaveFacts(data_dir, enrollment));
  RETURN_IF_ERROR(SaveIdentity(data_dir, enrollment.identity));
  RETURN_IF_ERROR(CheckIdentity(data_dir, &enrollment));
  return enrollment;
}

absl::StatusOr<std::optional<Enrollment>> CheckEnrollment(const std::string& data_dir,
                                                          const std::string& join_token_file,
                                                          const Clock& clock) {
  ASSIGN_OR_RETURN(auto start, StartOf(data_dir, join_token_file, clock));
  if (auto* kept = std::get_if<Enrollment>(&start)) return std::move(*kept);
  return std::nullopt;
}

absl::StatusOr<Enrollment> LoadOrEnroll(const std::string& data_dir,
                                        const std::string& join_token_file, const Clock& clock) {
  ASSIGN_OR_RETURN(auto start, StartOf(data_dir, join_token_file, clock));
  if (auto* kept = std::get_if<Enrollment>(&start)) return std::move(*kept);
  return Enroll(std::get<JoinString>(start), data_dir, clock);
}

absl::Status SaveIdentity(const std::string& data_dir, const LinkIdentity& identity) {
  return WriteFileAtomically(IdentityFile(data_dir),
                             identity.private_key + identity.certificate_chain);
}

}  // namespace sallyport::agent
