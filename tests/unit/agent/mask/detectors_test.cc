#include "agent/mask/detectors/detector.h"
#include "mask_fixture.h"

namespace sallyport::agent {
namespace {

TEST_CASE("AWS keys are found, documentation's are not", "[agent][mask]") {
  MaskFixture fixture;
  const std::string secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzPLEKEY";
  CHECK(fixture.Text("x" + kAwsKey) == "x[REDACTED:aws]");
  CHECK(fixture.Text("ASIA"
                     "QYLPMN5HHHFPZAM2") == "[REDACTED:aws]");
  CHECK(fixture.Text("aws_secret_access_key = " + secret) ==
        "aws_secret_access_key = [REDACTED:aws]");
  CHECK(fixture.Text("AWS_SECRET_ACCESS_KEY='" + secret + "'") ==
        "AWS_SECRET_ACCESS_KEY='[REDACTED:aws]'");
  CHECK(fixture.Text(R"({\"SecretAccessKey\":\")" + secret + R"(\"})") ==
        R"({\"SecretAccessKey\":\"[REDACTED:aws]\"})");
  CHECK(fixture.Text("IQoJb3JpZ2lu" + std::string(120, 'a') + "==") == "[REDACTED:aws]");
  for (const std::string& text :
       {std::string("AKIAIOSFODNN7EXAMPLE"), std::string("AKIAQYLPMN5HHHFPZAM"),
        std::string("AKIAqylpmn5hhhfpzam2"),
        std::string("secret_access_key = da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        "commit " + secret, std::string("secret_access_key = see the vault")}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("GitHub and Slack tokens are found, placeholders are not", "[agent][mask]") {
  MaskFixture fixture;
  const std::string tail = kGithubToken.substr(4);
  for (const char* prefix : {"ghp_", "gho_", "ghu_", "ghs_", "ghr_"})
    CHECK(fixture.Text(prefix + tail + ".") == "[REDACTED:github].");
  CHECK(fixture.Text("github_pat_" + tail + "_" + tail) == "[REDACTED:github]");
  CHECK(fixture.Text("xoxb-"
                     "1234567890-abcdefABCDEF") == "[REDACTED:slack]");
  CHECK(fixture.Text("xapp-"
                     "1-A0123-456-abcdef") == "[REDACTED:slack]");
  CHECK(fixture.Text("https://hooks.slack.com/"
                     "services/T00000000/B11111111/abcdefgh12345678") ==
        "https://hooks.slack.com/services/[REDACTED:slack]");
  for (const std::string& text :
       {"ghp_" + std::string(36, 'x'), std::string("ghp_short"),
        std::string("xoxb-your-token-here"), std::string("https://hooks.slack.com/services/T/B/x"),
        std::string("github_pat_x")}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("a JWT is known by its header", "[agent][mask]") {
  MaskFixture fixture;
  const std::string header = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9";
  CHECK(fixture.Text("Bearer " + header + ".eyJzdWIiOiJ4In0.c2ln, x") ==
        "Bearer [REDACTED:jwt], x");
  CHECK(fixture.Text(header + ".eyJzdWIiOiJ4In0.") == "[REDACTED:jwt].");
  CHECK(fixture.Text(header + ".a.b.c.d") == "[REDACTED:jwt]");
  // {"typ":"x"} and no algorithm; a header alone; a file name.
  for (const std::string& text :
       {std::string("eyJ0eXAiOiJ4In0.eyJzdWIiOiJ4In0.c2ln"), header, std::string("eyJ.txt")}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("a private key loses its body, cut off or not, and a certificate stays",
          "[agent][mask]") {
  MaskFixture fixture;
  const std::string body = "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSi";
  const auto masked = [&](const std::string& label, const std::string& end) {
    return fixture.Text("a -----BEGIN " + label + "-----\\n" + body + "\\n" + body + "\\n" + end +
                        " z");
  };
  for (const char* label : {"PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY",
                            "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"}) {
    CHECK(masked(label, std::string("-----END ") + label + "-----") ==
          std::string("a -----BEGIN ") + label + "-----\\n[REDACTED:pem]\\n-----END " + label +
              "----- z");
  }
  CHECK(masked("PRIVATE KEY", "").find(body) == std::string::npos);
  CHECK(
      fixture
          .Text("-----BEGIN EC PRIVATE KEY-----\\\\n" + body + "\\\\n-----END EC PRIVATE KEY-----")
          .find(body) == std::string::npos);
  const std::string certificate =
      "-----BEGIN CERTIFICATE-----\\n" + body + "\\n-----END CERTIFICATE-----";
  CHECK(fixture.Text(certificate) == certificate);
}

TEST_CASE("a URL keeps all but its password", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Text("postgres://app:s3cr3t!x@db.internal:5432/x?y") ==
        "postgres://app:[REDACTED:url_credentials]@db.internal:5432/x?y");
  CHECK(fixture.Text("redis://:hunter22@cache") == "redis://:[REDACTED:url_credentials]@cache");
  CHECK(fixture.Text("https://u:p@ss@host") == "https://u:[REDACTED:url_credentials]@host");
  for (const std::string password :
       {"pa$$w0rd", "a{b}c", "x<y", "$ecret", "${a}b", "password", "secret", "<>", "{}"}) {
    CHECK(fixture.Text("db://u:" + password + "@host") == "db://u:[REDACTED:url_credentials]@host");
  }
  for (const std::string form :
       {"${DB_PASSWORD}", "{{ password }}", "<your-password>", "$DB_PASSWORD", "{pw}", "****"}) {
    CHECK(fixture.Text("db://u:" + form + "@host") == "db://u:" + form + "@host");
  }
  for (const char* text :
       {"https://host/a:b@c", "https://user@host", "https://host:8080/x@y",
        "postgres://u:${PASS}@h", "postgres://u:<password>@h", "https://u:****@h",
        "see http://a b:c@d"}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("addresses are found, what only has an at sign is not", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Text("<ann.lee+x@mail.example.com>, b@x.io.") ==
        "<[REDACTED:email]>, [REDACTED:email].");
  CHECK(fixture.Text("mailto:ann@example.com") == "mailto:[REDACTED:email]");
  for (const char* text : {"git@github.com:org/repo.git", "pkg@1.2.3", "@handle", "a@b",
                           "getty@tty1.service", "a@b..com", "user @ x.com", "@x.com"}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("cards pass their range and checksum, other numbers stay", "[agent][mask]") {
  MaskFixture fixture;
  for (const char* card :
       {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444",
        "2223003122003222", "378282246310005", "3782 822463 10005", "6011111111111117",
        "30569309025904", "3530111333300000"}) {
    INFO(card);
    CHECK(fixture.Text(std::string("n ") + card + ".") == "n [REDACTED:card].");
  }
  for (const char* text :
       {"4111111111111112", "1234567812345670", "x4111111111111111", "4111111111111111x",
        "0.4111111111111111", "4111111111111111.5", "41111111111111110000", "4111 1111-1111 1111",
        "411 1111 1111 11111", "0000000000000000", "1732550400000000000"}) {
    INFO(text);
    CHECK(fixture.Text(text) == text);
  }
}

}  // namespace
}  // namespace sallyport::agent
