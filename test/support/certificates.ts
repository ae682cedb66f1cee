/** Certificates as an authority issues them, made by openssl: a root, an intermediate below it, and what that one issues. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { external } from "./external.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface Issued {
  /** With the intermediate behind it, as an ACME client's `fullchain.pem`. */
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate alone. */
  readonly leafFile: string;
}

export interface IssueOptions {
  /** `DNS:` and `IP:` names, joined by commas. */
  readonly names?: string;
  readonly use?: "serverAuth" | "clientAuth";
  /** Ends at 2020-01-02. */
  readonly expired?: boolean;
}

const LOCAL = "DNS:localhost,IP:127.0.0.1";
const CA = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"];

export class Authority {
  readonly folder = temporaryFolder();
  readonly rootFile: string;
  readonly intermediateFile: string;
  #serial = 0;

  constructor() {
    this.#makeKey("root");
    this.#sign("root", "root", CA);
    this.#makeKey("intermediate");
    this.#sign("intermediate", "root", CA);
    this.rootFile = this.#file("root.pem");
    this.intermediateFile = this.#file("intermediate.pem");
  }

  /** The only certificate that clients of the tests trust. */
  get root(): string {
    return readFileSync(this.rootFile, "utf8");
  }

  issue(name: string, { names = LOCAL, use = "serverAuth", expired = false }: IssueOptions = {}): Issued {
    this.#makeKey(name);
    const dates = expired ? ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] : ["-days", "30"];
    this.#sign(name, "intermediate", [`subjectAltName=${names}`, `extendedKeyUsage=${use}`], dates);
    const certFile = this.#file(`${name}-chain.pem`);
    const leafFile = this.#file(`${name}.pem`);
    writeFileSync(certFile, readFileSync(leafFile, "utf8") + readFileSync(this.intermediateFile, "utf8"));
    return { certFile, leafFile, keyFile: this.#file(`${name}.key`) };
  }

  /** The same key, closed with a passphrase: as PKCS#8, or in the traditional form of its kind. */
  lock({ keyFile }: Issued, passphrase: string, form: "pkcs8" | "traditional"): string {
    const locked = `${keyFile}.${form}`;
    const out = ["-in", keyFile, "-out", locked, "-passout", `pass:${passphrase}`];
    openssl(form === "pkcs8" ? ["pkcs8", "-topk8", ...out] : ["ec", "-aes128", ...out]);
    return locked;
  }

  #file(name: string): string {
    return join(this.folder, name);
  }

  #makeKey(name: string): void {
    const kind = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    openssl(["genpkey", ...kind, "-out", this.#file(`${name}.key`)]);
  }

  /** `openssl ca` is the only one of openssl's commands that takes dates of the past in every version. */
  #sign(name: string, issuer: string, extensions: readonly string[], dates: readonly string[] = ["-days", "30"]): void {
    const [key, request, extensionFile] = [this.#file(`${name}.key`), this.#file(`${name}.csr`), this.#file("ext")];
    openssl(["req", "-new", "-key", key, "-subj", `/CN=${name}`, "-out", request]);
    writeFileSync(extensionFile, `${extensions.join("\n")}\n`);
    const out = ["-out", this.#file(`${name}.pem`), "-extfile", extensionFile];
    if (name === issuer) {
      openssl(["x509", "-req", "-in", request, "-signkey", key, ...dates, ...out]);
      return;
    }
    const by = ["-cert", this.#file(`${issuer}.pem`), "-keyfile", this.#file(`${issuer}.key`)];
    const [config, serial] = [this.#file("ca.conf"), this.#file("serial")];
    writeFileSync(this.#file("index.txt"), "");
    writeFileSync(serial, String(10 + this.#serial++));
    writeFileSync(config, DATABASE.replaceAll("FOLDER", this.folder));
    openssl(["ca", "-batch", "-notext", "-config", config, ...by, "-in", request, ...dates, ...out]);
  }
}

const DATABASE = `[ca]
default_ca = here
[here]
database = FOLDER/index.txt
serial = FOLDER/serial
new_certs_dir = FOLDER
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`;

function openssl(args: readonly string[]): string {
  return execFileSync(external("openssl"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
