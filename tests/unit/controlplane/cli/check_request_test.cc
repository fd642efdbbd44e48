#include "controlplane/cli/check_request.h"

#include <catch2/catch.hpp>
#include <string>

#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {
namespace {

TEST_CASE("a request that the control plane could not read is not sent", "[cli]") {
  admin::v1::ApplyDocumentsRequest request;
  request.add_files()->set_name("a.yaml");
  CHECK(CheckRequest(request).ok());
  request.add_files()->set_name("caf\xe9.yaml");
  CHECK(CheckRequest(request).message() == "name is not UTF-8");
  request.mutable_files(1)->set_name("caf\u00e9.yaml");
  CHECK(CheckRequest(request).ok());
  request.mutable_files(1)->set_text(std::string(9 << 20, 'x'));
  CHECK(absl::IsResourceExhausted(CheckRequest(request)));
}

}  // namespace
}  // namespace sallyport::controlplane
