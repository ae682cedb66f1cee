/** A task that fails in the way it is asked to. */

class NoSuchPicture extends Error {
  override readonly name = "NoSuchPicture";
  readonly code = "E_PICTURE";
  readonly socket = () => {};
}

export default function fail(how: "own" | "native" | "value"): never {
  switch (how) {
    case "own":
      throw new NoSuchPicture("there is no picture");
    case "native":
      throw new RangeError("too large");
    case "value":
      throw { reason: "none" };
  }
}
