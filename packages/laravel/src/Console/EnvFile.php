<?php

namespace Fanfare\Laravel\Console;

/** The lines of a `.env`. What is filled in stays. */
final class EnvFile
{
    private string $text;

    public function __construct(private readonly string $path)
    {
        $this->text = file_get_contents($path);
    }

    /** The text behind `NAME=`; empty where it is, or where there is no such line. */
    public function get(string $name): string
    {
        return preg_match("/^{$name}=(.*)$/m", $this->text, $found) ? trim($found[1], " \t\"'\r") : '';
    }

    public function has(string $name): bool
    {
        return (bool) preg_match("/^{$name}=/m", $this->text);
    }

    public function set(string $name, string $value): void
    {
        if ($this->has($name)) {
            // Not by a pattern's replacement, in which `$` would mean something.
            $this->text = preg_replace_callback("/^{$name}=.*$/m", fn () => "{$name}={$value}", $this->text);
        } else {
            $this->text = rtrim($this->text)."\n{$name}={$value}\n";
        }
    }

    /** Sets what is not filled in, and answers with the names of that. */
    public function fill(array $values): array
    {
        $empty = array_filter($values, fn (string $name) => $this->get($name) === '', ARRAY_FILTER_USE_KEY);
        foreach ($empty as $name => $value) {
            $this->set($name, $value);
        }

        return array_keys($empty);
    }

    public function save(): void
    {
        file_put_contents($this->path, $this->text);
    }
}
