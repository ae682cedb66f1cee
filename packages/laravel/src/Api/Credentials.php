<?php

namespace Fanfare\Laravel\Api;

use InvalidArgumentException;

/** Which app, where its server is, and what is signed with its secret. */
final class Credentials
{
    /** @param non-empty-list<string> $secrets The first signs, each of them is accepted. */
    private function __construct(
        public readonly string $appId,
        public readonly string $key,
        private readonly array $secrets,
        public readonly string $url,
    ) {}

    /** Throws where one is missing: an empty secret is one that anybody can sign with. */
    public static function from(array $config): self
    {
        foreach (['app_id', 'key', 'secret', 'url'] as $name) {
            if (! is_scalar($config[$name] ?? null) || (string) $config[$name] === '') {
                throw new InvalidArgumentException(
                    "Fanfare has no {$name}: set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, or run `php artisan fanfare:install`."
                );
            }
        }
        $secrets = array_values(array_filter([(string) $config['secret'], (string) ($config['previous_secret'] ?? '')], 'strlen'));

        return new self((string) $config['app_id'], (string) $config['key'], $secrets, rtrim($config['url'], '/'));
    }

    /** HMAC-SHA256, in hex unless `$binary`. */
    public function sign(string $text, bool $binary = false): string
    {
        return hash_hmac('sha256', $text, $this->secrets[0], $binary);
    }

    public function isSigned(string $text, string $signature): bool
    {
        $found = array_map(fn (string $secret) => hash_equals(hash_hmac('sha256', $text, $secret), $signature), $this->secrets);

        return in_array(true, $found, true);
    }
}
