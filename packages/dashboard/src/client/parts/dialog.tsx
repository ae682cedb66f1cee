/** Dialogs: the browser's own, so that Esc closes them and the focus stays inside and comes back. */

import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Refused, refusedBy } from "../api.ts";
import { Failure } from "./notes.tsx";

interface DialogProps {
  readonly title: string;
  /** The title of a palette is only read out. */
  readonly look?: "wide" | "palette";
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, look, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const closeOutside = (event: MouseEvent) => {
    if (event.target === ref.current) onClose();
  };
  // Esc closes it without asking; when the page takes it away, nobody has to be told.
  const closed = () => {
    if (ref.current?.isConnected) onClose();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc does what a click beside it does
    <dialog ref={ref} class={look} aria-labelledby={id} onClose={closed} onClick={closeOutside}>
      <div class="dialog-inside">
        <h2 id={id} class={look === "palette" ? "unseen" : undefined}>
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}

interface AskProps {
  readonly title: string;
  /** What will happen, in a sentence or two. */
  readonly children: ComponentChildren;
  /** The button's words: a verb. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** Has to be typed first, where what is done cannot be undone. */
  readonly typed?: string;
  readonly onClose: () => void;
  /** What is thrown is shown in the dialog, which stays. */
  readonly act: () => Promise<unknown>;
}

export function Ask({ title, children, verb, isDangerous, typed, onClose, act }: AskProps) {
  const [written, write] = useState("");
  const [error, setError] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const isReady = (typed === undefined || written === typed) && !isBusy;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady) return;
    setBusy(true);
    try {
      await act();
      onClose();
    } catch (thrown) {
      setError(refusedBy(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        <div class="prose">{children}</div>
        {typed !== undefined && (
          <label class="field">
            <span>
              Type <code>{typed}</code> to confirm
            </span>
            <input
              value={written}
              onInput={(event) => write(event.currentTarget.value)}
              autocomplete="off"
              spellcheck={false}
            />
          </label>
        )}
        <Failure error={error} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={!isReady}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
