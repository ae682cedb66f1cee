/** The app that an act is for, in the act's own form. */

import { overview } from "../overview.ts";

export function AppField({ value, put }: { value: string; put: (app: string) => void }) {
  const apps = overview.value?.apps ?? [];
  const isKnown = apps.some(({ id }) => id === value);
  return (
    <label class="field">
      <span>App</span>
      <select value={value} onChange={(event) => put(event.currentTarget.value)}>
        {!isKnown && <option value={value}>{value}</option>}
        {apps.map(({ id, name }) => (
          <option key={id} value={id}>
            {name || id}
          </option>
        ))}
      </select>
    </label>
  );
}
