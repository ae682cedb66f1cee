<?php

namespace Fanfare\Laravel\Facades;

use Illuminate\Support\Facades\Facade;

/**
 * @method static array publish(string|array $channels, string $event, mixed $data = [], ?string $except = null, ?string $key = null)
 * @method static void toUser(string|int $user, string $event, mixed $data = [], ?string $key = null)
 * @method static void batch(array $events)
 * @method static \Fanfare\Laravel\Channel channel(string $name)
 * @method static \Fanfare\Laravel\User user(string|int $id)
 * @method static \Fanfare\Laravel\Connection connection(string $id)
 * @method static array channels(string $prefix = '', string $info = '')
 * @method static array connections(array $filters = [])
 * @method static int connectionCount()
 * @method static string token(string|int $user, array $claims = [], int $expiresIn = 3600)
 * @method static void findUserUsing(\Closure $find)
 *
 * @see \Fanfare\Laravel\Fanfare
 */
class Fanfare extends Facade
{
    protected static function getFacadeAccessor(): string
    {
        return \Fanfare\Laravel\Fanfare::class;
    }
}
