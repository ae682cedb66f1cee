<?php

namespace Fanfare\Laravel;

use DateTimeInterface;
use Fanfare\Laravel\Api\HttpApi;

/**
 * Connections that are acted on, wherever in the cluster they are. Acts answer `['connections' => n, 'nodes_missing' => n]`: on how many it
 * was done, and how many nodes will do it as soon as they are back. Calling again does no harm.
 */
abstract class Target
{
    public function __construct(protected readonly HttpApi $api, protected readonly string $name) {}

    /** `channels`, `users` or `connections`. */
    abstract protected function kind(): string;

    /** Closes them so that clients connect again; native clients wait up to `$spreadMs` first, each another time. */
    public function reconnect(int $spreadMs = 0, ?string $message = null): array
    {
        return $this->post('reconnect', ['spread_ms' => $spreadMs ?: null, 'message' => $message]);
    }

    protected function put(string $channel, mixed $info, DateTimeInterface|int|null $expiresAt, array $more): array
    {
        $until = $expiresAt instanceof DateTimeInterface ? $expiresAt->getTimestamp() : $expiresAt;

        return $this->post('subscribe', ['channel' => $channel, 'info' => $info, 'expires_at' => $until] + $more);
    }

    protected function post(string $act, array $body, array $query = []): array
    {
        return $this->api->call('POST', "{$this->path()}/{$act}", $body, $query);
    }

    protected function path(): string
    {
        return "/{$this->kind()}/".rawurlencode($this->name);
    }
}
