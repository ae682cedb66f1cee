/** An operator with its accounts and users, as JWTs signed with NKeys: what NATS's own tools would make, made by hand. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { temporaryFolder } from "./temporary-folder.ts";

type Key = ReturnType<typeof nkeys.createOperator>;

const WITHOUT_LIMIT = { subs: -1, data: -1, payload: -1 };
const ACCOUNT_LIMITS = { ...WITHOUT_LIMIT, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const JETSTREAM_LIMITS = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

export class Operator {
  readonly #key: Key = nkeys.createOperator();
  readonly #system = new Account("system", this.#key, {});
  /** The account that nodes are users of. */
  readonly account = new Account("nodes", this.#key, JETSTREAM_LIMITS);

  /** Lines of a server's configuration. */
  get settings(): string {
    const self = signed("operator", this.#key, this.#key.getPublicKey(), { type: "operator" });
    const known = [this.#system, this.account].map(({ id, jwt }) => `  ${id}: ${jwt}`);
    return [
      `operator: ${self}`,
      `system_account: ${this.#system.id}`,
      "resolver: MEMORY",
      "resolver_preload: {",
      ...known,
      "}",
    ].join("\n");
  }
}

class Account {
  readonly jwt: string;
  readonly #key: Key = nkeys.createAccount();

  constructor(name: string, operator: Key, limits: object) {
    const all = { ...ACCOUNT_LIMITS, ...limits };
    this.jwt = signed(name, operator, this.id, { type: "account", limits: all });
  }

  get id(): string {
    return this.#key.getPublicKey();
  }

  /** The path of a new user's `.creds` file, and the seed in it. */
  user(claims: object = {}): { readonly file: string; readonly text: string; readonly seed: string } {
    const user = nkeys.createUser();
    const jwt = signed(
      "node",
      this.#key,
      user.getPublicKey(),
      { type: "user", pub: {}, sub: {}, ...WITHOUT_LIMIT },
      claims,
    );
    const seed = new TextDecoder().decode(user.getSeed());
    const text = [
      "-----BEGIN NATS USER JWT-----",
      jwt,
      "------END NATS USER JWT------",
      "",
      "-----BEGIN USER NKEY SEED-----",
      seed,
      "------END USER NKEY SEED------",
      "",
    ].join("\n");
    const file = join(temporaryFolder(), "node.creds");
    writeFileSync(file, text);
    return { file, text, seed };
  }
}

function signed(name: string, issuer: Key, subject: string, nats: object, claims: object = {}): string {
  const body = {
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject,
    name,
    nats: { ...nats, version: 2 },
    ...claims,
  };
  const text = [{ typ: "JWT", alg: "ed25519-nkey" }, body].map((part) => base64(JSON.stringify(part))).join(".");
  return `${text}.${base64(issuer.sign(new TextEncoder().encode(text)))}`;
}

function base64(data: string | Uint8Array): string {
  return Buffer.from(data).toString("base64url");
}
