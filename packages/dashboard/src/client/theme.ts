/** Light or dark: as the system has it, unless the person has chosen. */

import { computed, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

/** With their names, in the order in which a button goes through them. */
export const THEMES: readonly (readonly [Theme, string])[] = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];

const KEY = "fanfare.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(dark.matches);

export const theme = signal<Theme>(kept());

/** Changes when colours do. */
export const themeKey = computed(() =>
  theme.value === "system" ? (systemIsDark.value ? "dark" : "light") : theme.value,
);

dark.addEventListener("change", ({ matches }) => {
  systemIsDark.value = matches;
});

theme.subscribe((value) => {
  if (value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
});

export function choose(value: Theme): void {
  theme.value = value;
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // Then it is of this page's life.
  }
}

function kept(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}
