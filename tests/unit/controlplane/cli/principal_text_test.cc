#include "controlplane/cli/principal_text.h"

#include <catch2/catch.hpp>

namespace sallyport::controlplane {
namespace {

TEST_CASE("a person is named by who it is, a service by its client", "[cli]") {
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_subject("alice");
  principal.set_client_id("ide");
  principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  CHECK(PrincipalText(principal) == "okta:alice");
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(PrincipalText(principal) == "okta:ide");
  principal.clear_client_id();
  CHECK(PrincipalText(principal) == "okta:alice");
}

}  // namespace
}  // namespace sallyport::controlplane
