<?php

use App\FailsOnce;
use App\Said;
use App\SaidNow;
use App\User;
use Fanfare\Laravel\Api\FanfareException;
use Fanfare\Laravel\Facades\Fanfare;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;

/** Everything is a GET, so that the test needs no CSRF token. */
Route::get('/migrate', function () {
    Schema::create('users', function ($table) {
        $table->id();
        $table->string('name');
        $table->string('remember_token')->nullable();
    });
    Schema::create('notes', fn ($table) => $table->string('what'));
    Schema::create('orders', fn ($table) => $table->string('name'));
    Schema::create('jobs', function ($table) {
        $table->id();
        $table->string('queue');
        $table->text('payload');
        $table->integer('attempts');
        $table->integer('reserved_at')->nullable();
        $table->integer('available_at');
        $table->integer('created_at');
    });
    User::create(['name' => 'Ada']);
    User::create(['name' => 'Bob']);

    return ['version' => app()->version()];
});
Route::get('/login/{user}', function (User $user) {
    Auth::login($user);

    return ['id' => $user->id];
});
Route::get('/notes', fn () => DB::table('notes')->pluck('what'));
/** A broadcast, at once or through the queue; `via` are connections. */
Route::get('/say', function (Request $request) {
    $class = $request->boolean('now') ? SaidNow::class : Said::class;
    $pending = broadcast(new $class($request->input('text'), (array) $request->input('channels'), (array) $request->input('via', [])));
    if ($request->boolean('others')) {
        $pending->toOthers();
    }
    try {
        // It is sent where it is destroyed.
        unset($pending);
    } catch (FanfareException $error) {
        return ['error' => $error->errorCode, 'status' => $error->status, 'isRetryable' => $error->isRetryable];
    }

    return [];
});
Route::get('/fail-once', function () {
    FailsOnce::dispatch();

    return [];
});
/** An order and its event, both or neither. */
Route::get('/order/{name}', function (Request $request, string $name) {
    try {
        DB::transaction(function () use ($request, $name) {
            DB::table('orders')->insert(['name' => $name]);
            broadcast(new SaidNow($name, ['private-orders.1'], ['fanfare-outbox']));
            throw_if($request->boolean('fails'), new DomainException('Not paid.'));
        });
    } catch (DomainException) {
        return ['orders' => DB::table('orders')->count()];
    }

    return ['orders' => DB::table('orders')->count()];
});
Route::get('/publish', fn (Request $request) => Fanfare::publish($request->input('channel'), 'news', ['n' => 1], key: $request->input('key')));
Route::get('/history', fn (Request $request) => Fanfare::channel($request->input('channel'))->history(['limit' => 1]));
Route::get('/members/{channel}', fn (string $channel) => Fanfare::channel($channel)->members());
Route::get('/kick/{id}', fn (string $id) => Fanfare::user($id)->kick('presence-lobby', banS: 60, message: 'Be kind.'));
Route::get('/unban/{id}', fn (string $id) => [Fanfare::user($id)->unban('presence-lobby')]);
Route::get('/put/{id}', fn (string $id) => Fanfare::user($id)->subscribe('news'));
Route::get('/put-briefly/{id}', fn (string $id) => Fanfare::user($id)->subscribe('news', expiresAt: now()->addSeconds(2)));
Route::get('/forget', fn () => ['forgotten' => Fanfare::channel('room')->forget(Fanfare::channel('room')->position())]);
Route::get('/rename/{user}/{name}', fn (User $user, string $name) => ['renamed' => $user->forceFill(['name' => $name])->save()]);
Route::get('/reconnect/{id}', fn (string $id) => Fanfare::user($id)->reconnect());
Route::get('/disconnect/{id}', fn (string $id) => Fanfare::user($id)->disconnect(revoke: false));
Route::get('/batch', function () {
    Fanfare::batch(array_map(fn (int $n) => ['channel' => 'room', 'event' => 'n', 'data' => $n], range(1, 25)));

    return ['connections' => Fanfare::connectionCount(), 'channels' => array_keys(Fanfare::channels())];
});
Route::get('/token/{id}', fn (string $id) => ['token' => Fanfare::token($id, ['channels' => ['private-*']])]);
Route::get('/flash', function (Request $request) {
    $request->session()->flash('said', 'hello');

    return [];
});
Route::get('/flashed', fn (Request $request) => ['said' => $request->session()->get('said')]);
Route::get('/notify/{id}', fn (string $id) => [Fanfare::toUser($id, 'notification', ['title' => 'Paid'])]);
Route::get('/ask/{connection}', fn (string $connection) => [
    'connections' => Fanfare::connections(['user_id' => '2']),
    'info' => Fanfare::channel('room')->info(),
    'position' => Fanfare::channel('room')->position(),
    'put' => Fanfare::connection($connection)->subscribe('news'),
    'taken' => Fanfare::connection($connection)->unsubscribe('news', 'No news.'),
    'purged' => Fanfare::channel('room')->purge(),
    'ended' => Fanfare::connection($connection)->disconnect('Bye.'),
]);
Route::get('/many', fn () => Fanfare::publish(array_map(fn (int $n) => "many-{$n}", range(1, 130)), 'many', ['n' => 1]));
