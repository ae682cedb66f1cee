<?php

namespace Fanfare\Laravel\Api;

use InvalidArgumentException;

/**
 * Which app, where its server is, and what is signed with its secret. What is missing is said where it is used, so that an application without
 * keys can still run `artisan`.
 */
final class Credentials
{
    /** @param array<string, mixed> $config `app_id`, `key`, `secret`, `previous_secret`, `url` */
    public function __construct(private readonly array $config) {}

    public function appId(): string
    {
        return $this->required('app_id');
    }

    public function key(): string
    {
        return $this->required('key');
    }

    public function url(): string
    {
        return rtrim($this->required('url'), '/');
    }

    /** HMAC-SHA256, in hex unless `$binary`. */
    public function sign(string $text, bool $binary = false): string
    {
        return hash_hmac('sha256', $text, $this->required('secret'), $binary);
    }

    /** By the secret, or by the previous one. */
    public function isSigned(string $text, string $signature): bool
    {
        $secrets = array_filter([$this->required('secret'), (string) ($this->config['previous_secret'] ?? '')], 'strlen');
        $found = array_map(fn (string $secret) => hash_equals(hash_hmac('sha256', $text, $secret), $signature), $secrets);

        return in_array(true, $found, true);
    }

    /** Never empty: an empty secret is one that anybody can sign with. */
    private function required(string $name): string
    {
        $value = $this->config[$name] ?? null;
        if (! is_scalar($value) || (string) $value === '') {
            throw new InvalidArgumentException(
                "Fanfare has no {$name}: set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, or run `php artisan fanfare:install`."
            );
        }

        return (string) $value;
    }
}
