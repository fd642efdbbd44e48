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

TEST_CASE("each of a vendor's formats is found", "[agent][mask]") {
  MaskFixture fixture;
  const std::string tail = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL3oR6";
  const std::string digits = "1234567890-1234567890";
  for (const std::string& token :
       {"ghs_" + tail, "ghs_123456_eyJhbGciOiJSUzI1NiJ9." + tail + "." + tail + "-_x",
        "github_pat_11ABCDEFG0123456789abc_" + tail + tail.substr(0, 23)}) {
    CHECK(fixture.Text("a " + token + ". b") == "a [REDACTED:github]. b");
  }
  for (const char* prefix : {"xoxa-2-", "xoxb-", "xoxc-", "xoxe-1-", "xoxe.xoxp-1-", "xoxe.xoxb-1-",
                             "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-1-A1-", "xwfp-"}) {
    CHECK(fixture.Text("a " + (prefix + digits) + "-abcdef b") == "a [REDACTED:slack] b");
  }
  CHECK(fixture.Text("d=xoxd-aB3dE6gH9jK%2BmN5%2F1%3D%3D;") == "d=[REDACTED:slack];");
  for (const char* host : {"hooks.slack.com", "hooks.slack-gov.com"}) {
    for (const char* kind : {"services", "workflows", "triggers"}) {
      const std::string url = std::string("https://") + host + "/" + kind + "/";
      CHECK(fixture.Text(url + "T00000000/B11111111/abcdefgh12345678") == url + "[REDACTED:slack]");
    }
  }
  for (const char* prefix : {"AKIA", "ASIA", "ABIA", "ACCA"}) {
    CHECK(fixture.Text(std::string("k=") + prefix + "QYLPMN5HHHFPZAM2") == "k=[REDACTED:aws]");
  }
  CHECK(fixture.Text("bedrock-api-key-" + tail + tail + tail + "=") == "[REDACTED:aws]");
  // A gene, and words with dots.
  for (const std::string& text : {std::string("GGTCACCAGGACTTACGATTACAGATTACAGG"),
                                  "ghs_" + std::string("one.two.three.four.five.six.seven.eight")})
    CHECK(fixture.Text(text) == text);
}

TEST_CASE("an AWS secret is known by a name beside it", "[agent][mask]") {
  MaskFixture fixture;
  const std::string secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzPLEKEY";
  const std::string packed = "d0phbHJYVXRuRkVNSS9LN01ERU5HL2JQeFJmaUNZenp6elBMRUtFWQ==";
  const auto value = [&](const std::string& object) {
    return fixture.Mask(R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":)" + object +
                        "}}");
  };
  const std::string masked = R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":)";
  CHECK(value(R"({"name":"AWS_SECRET_ACCESS_KEY","value":")" + secret + R"("})") ==
        masked + R"({"name":"AWS_SECRET_ACCESS_KEY","value":"[REDACTED:aws]"}}})");
  CHECK(value(R"({"data":{"aws-secret-access-key":")" + packed + R"("}})") ==
        masked + R"({"data":{"aws-secret-access-key":"[REDACTED:aws]"}}}})");
  CHECK(fixture.Text("- name: AWS_SECRET_ACCESS_KEY\\n  value: " + secret) ==
        "- name: AWS_SECRET_ACCESS_KEY\\n  value: [REDACTED:aws]");
  CHECK(fixture.Text("Aws Secret Access Key: " + secret) ==
        "Aws Secret Access Key: [REDACTED:aws]");
  const std::string other = R"({"name":"COMMIT","value":")" + secret + R"("})";
  CHECK(value(other) == masked + other + "}}");
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
  for (const char* text : {"https://host/a:b@c", "https://user@host", "https://host:8080/x@y",
                           "postgres://u:${PASS}@h", "postgres://u:<password>@h",
                           "https://u:****@h", "see http://a b:c@d"}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("a password in a URL may hold anything, and a token may be the user", "[agent][mask]") {
  MaskFixture fixture;
  for (const std::string password : {"S3|cr3t", "S3'cr3t", "p/ss+w0rd", "p#ss", "p?ss", "a@b",
                                     "a/b@c", "%70w%40", "1/2", "a,b", "a;b", "(a)", "\\u0070w"}) {
    INFO(password);
    CHECK(fixture.Text("postgres://u:" + password + "@db.internal/x") ==
          "postgres://u:[REDACTED:url_credentials]@db.internal/x");
  }
  CHECK(fixture.Text("https://bob:p/ss#w?rd@host/x") ==
        "https://bob:[REDACTED:url_credentials]@host/x");
  CHECK(fixture.Text("redis://:S3cret@h:1/0") == "redis://:[REDACTED:url_credentials]@h:1/0");
  CHECK(fixture.Text("https%3A%2F%2Fu%3Ahunter2%40host%2F") ==
        "https%3A%2F%2Fu%3A[REDACTED:url_credentials]%40host%2F");
  CHECK(fixture.Text("https://u:p%40ss@host") == "https://u:[REDACTED:url_credentials]@host");
  const std::string token = "0123456789abcdef0123456789abcdef";
  for (const std::string mark : {"", ":", ":x-oauth-basic"}) {
    CHECK(fixture.Text("https://" + token + mark + "@github.com/x") ==
          "https://[REDACTED:url_credentials]" + mark + "@github.com/x");
  }
  for (const std::string text :
       {"['http://host:80','x@y.z:1']", "|http://host:80|x@y|", "https://host/@scope/a:b@c",
        "https://a-rather-long-user-name@host", "http://host:8080?q=a@b", "ssh://git@host/x",
        "npm:a@1 https://h:8/-/b@2"}) {
    INFO(text);
    MaskFixture secrets({"secrets"});
    CHECK(secrets.Text(text) == text);
  }
}

TEST_CASE("addresses are found, what only has an at sign is not", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Text("<ann.lee+x@mail.example.com>, b@x.io.") ==
        "<[REDACTED:email]>, [REDACTED:email].");
  CHECK(fixture.Text("mailto:ann@example.com") == "mailto:[REDACTED:email]");
  CHECK(fixture.Text("https://acme.com,ada@example.com,x") ==
        "https://acme.com,[REDACTED:email],x");
  for (const char* before : {"mailto:", "mailto://", "to=", "x:", ";", "|", "\\t", "https://a.b;"})
    CHECK(fixture.Text(std::string(before) + "ada@example.com") ==
          std::string(before) + "[REDACTED:email]");
  for (const char* address :
       {"\\\"ada l\\\"@example.com", "j\u00f6rg@example.com", "ada@ex\u00e4mple.com",
        "ada@\u4f8b\u5b50.\u516c\u53f8", "ada@example.xn--p1ai", "ada%40example.com",
        "ada&#64;example.com", "ada&commat;example.com", "ada\uff20example.com",
        "a\u200bda@example.com", "git@example.com", "ada\\\\u0040example.com"}) {
    INFO(address);
    CHECK(fixture.Text(std::string("<") + address + ">") == "<[REDACTED:email]>");
  }
  for (const char* text : {"git@github.com:org/repo.git", "pkg@1.2.3", "@handle", "a@b",
                           "getty@tty1.service", "a@b..com", "user @ x.com", "@x.com"}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("cards pass their range and checksum, other numbers stay", "[agent][mask]") {
  MaskFixture fixture;
  for (const char* card :
       {"4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111_1111_1111_1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20131111\u20131111\u20131111",
        "4111\u202f1111\u202f1111\u202f1111",
        "4111111111111111.0",
        "4111111111111111.00",
        "\uff14\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11"
        "\uff11\uff11\uff11",
        "\u0664\u0661\u0661\u0661 1111 1111 1111"}) {
    INFO(card);
    CHECK(fixture.Text(std::string("n ") + card + ".") == "n [REDACTED:card].");
    CHECK(fixture.Text(std::string("n ") + card + " 2026") == "n [REDACTED:card] 2026");
    for (const char* before : {"card", "pan_", "no-", "a=", "(", "id_7_"})
      CHECK(fixture.Text(std::string(before) + card + "x") ==
            std::string(before) + "[REDACTED:card]x");
  }
  for (const char* text :
       {"4111111111111112", "1234567812345670", "7x4111111111111111", "4111111111111111x7",
        "0.4111111111111111", "4111111111111111.5", "41111111111111110000", "4111 1111-1111 1111",
        "411 1111 1111 11111", "0000000000000000", "1732550400000000000"}) {
    INFO(text);
    CHECK(fixture.Text(text) == text);
  }
}

}  // namespace
}  // namespace sallyport::agent
