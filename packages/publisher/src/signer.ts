/** HMAC SHA256 with the app's secret, by WebCrypto. */

const ENCODER = new TextEncoder();
const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

export class Signer {
  readonly #secret: string;
  /** Made at the first use, then kept. */
  #cryptoKey: Promise<CryptoKey> | undefined;

  constructor(secret: string) {
    this.#secret = secret;
  }

  async sign(text: string): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign(ALGORITHM.name, await this.#key(), ENCODER.encode(text)));
  }

  async signHex(text: string): Promise<string> {
    return Array.from(await this.sign(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Compares in constant time. */
  async isSigned(text: string | BufferSource, signatureHex: string): Promise<boolean> {
    if (!/^[0-9a-f]{64}$/.test(signatureHex)) return false;
    const signature = Uint8Array.from({ length: 32 }, (_, at) =>
      Number.parseInt(signatureHex.slice(at * 2, at * 2 + 2), 16),
    );
    const signed = typeof text === "string" ? ENCODER.encode(text) : text;
    return crypto.subtle.verify(ALGORITHM.name, await this.#key(), signature, signed);
  }

  #key(): Promise<CryptoKey> {
    this.#cryptoKey ??= crypto.subtle.importKey("raw", ENCODER.encode(this.#secret), ALGORITHM, false, [
      "sign",
      "verify",
    ]);
    return this.#cryptoKey;
  }
}
