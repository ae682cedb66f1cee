<?php

namespace Fanfare\Laravel\Hooks;

/** What a hook is answered. `with` adds any other member of docs/hooks.md. */
final class Answer
{
    private function __construct(public readonly array $members) {}

    public static function allow(array $members = []): self
    {
        return new self($members);
    }

    /** The client reads both. */
    public static function refuse(string $message, string $code = 'unauthorized'): self
    {
        return new self(['refuse' => ['code' => $code, 'message' => $message]]);
    }

    /** The connection ends; `$reconnect` is `never`, `later` or `now`. */
    public static function close(string $message, string $reconnect = 'never'): self
    {
        return new self(['close' => ['message' => $message, 'reconnect' => $reconnect]]);
    }

    /** Of `Connect`, `Authenticate` and `Refresh`: who the client is. */
    public static function user(string|int $id, mixed $info = null): self
    {
        return new self(['user' => ['id' => (string) $id, 'info' => $info]]);
    }

    /** Of `Subscribe`, in a presence channel: as whom. */
    public static function member(string|int $id, mixed $info = null): self
    {
        return new self(['member' => ['id' => (string) $id, 'info' => $info]]);
    }

    /** Of `Subscribe`, where the client wants to: it sees who is in a presence channel, and nobody sees it. */
    public static function watch(): self
    {
        return new self(['watch' => true]);
    }

    /** Of `Publish`: it goes nowhere, and its sender does not learn of it. */
    public static function drop(): self
    {
        return new self(['drop' => true]);
    }

    /** Of `Call`. */
    public static function result(mixed $result): self
    {
        return new self(['result' => $result]);
    }

    public function with(array $members): self
    {
        return new self(array_merge($this->members, $members));
    }

    /** Of what a listener may return. */
    public static function of(mixed $returned): self
    {
        return match (true) {
            $returned instanceof self => $returned,
            $returned === true => self::allow(),
            is_array($returned) => self::allow($returned),
            // Whatever else it was to mean, it lets nobody in.
            default => self::refuse('Refused.'),
        };
    }
}
