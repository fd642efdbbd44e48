#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/policy/documents.h"
#include "sallyport/types/v1/policy.pb.h"

// What a document must fit beside its own grammar (common/policy): this deployment.
namespace sallyport::controlplane {

// The realms of the issuer entries in the configuration.
struct KnownRealms {
  std::set<std::string> all;
  // Those whose people can sign in to decide: an `id_token` entry, or an access-token entry while
  // `admin_audiences` is set.
  std::set<std::string> with_people;
  // By realm, the names of the claims that one of its entries maps (`claims.attributes`).
  std::map<std::string, std::set<std::string>> claims = {};
};

// kInvalidArgument for what is no kind of document.
absl::Status CheckDocumentKind(types::v1::DocumentKind kind);

// kInvalidArgument, beginning with `where`: a realm that no issuer entry has, a claim that no entry
// of the realm maps, or approvers or owners of a realm that has no people.
absl::Status CheckRealms(const std::string& where, const types::v1::Document& document,
                         const KnownRealms& realms);

// Over all documents in force: kInvalidArgument where a policy names a mask profile that is not
// there. It names its place in `texts`, which the policy may stand in.
absl::Status CheckMasks(const std::vector<types::v1::Document>& all,
                        std::span<const NamedText> texts = {});

}  // namespace sallyport::controlplane
