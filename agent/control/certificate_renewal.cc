#include "agent/control/certificate_renewal.h"

#include <algorithm>
#include <utility>

#include "agent/link/awaitable_rpc.h"
#include "common/backoff.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/tls.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"

namespace sallyport::agent {
namespace {

using Rpc = v1::EnrollmentService::StubInterface::async_interface;

constexpr absl::Duration kTimeout = absl::Seconds(30);
// The wall clock may be stepped while we wait: it is looked at this often.
constexpr absl::Duration kLook = absl::Minutes(5);

}  // namespace

CertificateRenewal::CertificateRenewal(ControlPlaneChannel& channel, const Clock& clock,
                                       std::string data_dir, const Enrollment& enrollment)
    : channel_(channel),
      clock_(clock),
      data_dir_(std::move(data_dir)),
      name_(enrollment.name),
      ca_(enrollment.identity.ca),
      not_before_(enrollment.not_before),
      not_after_(enrollment.not_after),
      stop_(channel.loop()),
      stopped_(channel.loop()) {}

void CertificateRenewal::Start() {
  is_started_ = true;
  channel_.loop().Spawn(Run());
}

Task<void> CertificateRenewal::Drain() {
  stop_.Set();
  if (is_started_) co_await stopped_.Wait();
}

absl::Duration CertificateRenewal::UntilDue() const {
  const absl::Time due = not_before_ + (not_after_ - not_before_) / 2;
  return std::max(due - clock_.Now(), absl::ZeroDuration());
}

Task<void> CertificateRenewal::Run() {
  Backoff backoff(absl::Seconds(1), absl::Minutes(10));
  while (!stop_.is_set()) {
    const absl::Duration until_due = UntilDue();
    if (until_due > absl::ZeroDuration()) {
      co_await stop_.Wait(std::min(until_due, kLook));
      continue;
    }
    const absl::Status status = co_await Renew();
    if (status.ok()) {
      backoff.Reset();
      LogInfo("certificate_renewed", {{"not_after", not_after_}});
      continue;
    }
    if (stop_.is_set()) break;
    const absl::Duration wait = backoff.Next();
    LogWarning("certificate_renewal_failed",
               {{"error", status}, {"not_after", not_after_}, {"retry_in", wait}});
    co_await stop_.Wait(wait);
  }
  stopped_.Set();
}

Task<absl::Status> CertificateRenewal::Renew() {
  const PrivateKey key = GenerateKey();
  v1::RenewCertificateRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_certificate_request(),
                      MakeCertificateRequest(*key, "sallyport-agent"));
  CO_ASSIGN_OR_RETURN(const v1::RenewCertificateResponse response,
                      co_await CallIdempotent<v1::EnrollmentService>(
                          channel_, &Rpc::RenewCertificate, std::move(request), kTimeout));
  CO_ASSIGN_OR_RETURN(
      const LinkIdentity identity,
      AcceptCertificate(response.certificate(), KeyToPem(*key), ca_, name_, clock_.Now()));
  CO_ASSIGN_OR_RETURN(const std::vector<Certificate> chain,
                      CertificatesFromPem(identity.certificate_chain));
  // On disk first: a certificate in use that a restart forgets would be lost.
  CO_RETURN_IF_ERROR(SaveIdentity(data_dir_, identity));
  channel_.Rotate(identity);
  not_before_ = NotBefore(*chain.front());
  not_after_ = NotAfter(*chain.front());
  co_return absl::OkStatus();
}

}  // namespace sallyport::agent
