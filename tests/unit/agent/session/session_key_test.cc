#include "agent/session/session_key.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

types::v1::Principal Someone(std::string realm, std::string subject, std::string client_id) {
  types::v1::Principal principal;
  principal.set_realm(std::move(realm));
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  principal.set_subject(std::move(subject));
  principal.set_client_id(std::move(client_id));
  return principal;
}

TEST_CASE("the key of a principal is its identity and nothing else", "[agent][session]") {
  types::v1::Principal one = Someone("okta", "bot", "client");
  types::v1::Principal two = one;
  two.add_scopes("mcp.use");
  two.add_groups("okta:deployers");
  two.set_display("The bot");
  CHECK(PrincipalKey(one) == PrincipalKey(two));
  two.set_kind(types::v1::PRINCIPAL_KIND_USER);
  CHECK(PrincipalKey(one) != PrincipalKey(two));
}

TEST_CASE("no two principals share a key by moving characters between their parts",
          "[agent][session]") {
  CHECK(PrincipalKey(Someone("a", "bc", "d")) != PrincipalKey(Someone("ab", "c", "d")));
  CHECK(PrincipalKey(Someone("a", "b", "cd")) != PrincipalKey(Someone("a", "bc", "d")));
  CHECK(PrincipalKey(Someone("a", "1:b", "")) != PrincipalKey(Someone("a", "", "1:b")));
  CHECK(SessionKey(PrincipalKey(Someone("a", "b", "c")), "x") !=
        SessionKey(PrincipalKey(Someone("a", "b", "c")), "y"));
}

TEST_CASE("limits of a principal count whatever client it comes through", "[agent][session]") {
  CHECK(LimitKey(Someone("a", "b", "c"), "x") == LimitKey(Someone("a", "b", "d"), "x"));
  CHECK(LimitKey(Someone("a", "b", "c"), "x") != LimitKey(Someone("a", "e", "c"), "x"));
  CHECK(LimitKey(Someone("a", "b", "c"), "x") != LimitKey(Someone("a", "b", "c"), "y"));
}

}  // namespace
}  // namespace sallyport::agent
