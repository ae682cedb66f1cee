<?php

namespace App\Http\Controllers;

use App\Fanfare;
use App\User;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Hash;
use RuntimeException;

class ShopController
{
    public function login(string $name)
    {
        Auth::login(User::firstOrCreate(['name' => $name], ['password' => Hash::make('secret')]));
        return ['id' => Auth::id()];
    }

    /** Who somebody is, is the application's to say. */
    public function promote(string $name, string $title)
    {
        return ['promoted' => User::where('name', $name)->update(['title' => $title])];
    }

    /** The order and its event are stored together, or neither is. */
    public function order(string $id, Request $request)
    {
        DB::transaction(function () use ($id, $request) {
            DB::table('orders')->insert(['id' => $id]);
            $event = ['channel' => 'private-orders.ada', 'event' => 'ordered', 'data' => json_encode(['id' => $id])];
            DB::table('fanfare_publications')->insert($event);
            if (!$request->boolean('paid')) throw new RuntimeException('It is not paid.');
        });
        return ['id' => $id];
    }

    public function asked(string $hook)
    {
        return DB::table('asked')->where('hook', $hook)->pluck('user');
    }

    public function auth(Request $request)
    {
        $name = $request->query('user');
        $member = $name ? ['user_id' => $name, 'user_info' => ['name' => ucfirst($name)]] : null;
        return Fanfare::auth($request->query('connection'), $request->query('channel'), $member);
    }

    /** What its administrators do: `POST /admin/channels/hall/kick`, with the body and the query of the call. */
    public function administer(string $path, Request $request)
    {
        return $request->isMethod('GET')
            ? Fanfare::get("/$path", $request->query())
            : Fanfare::post("/$path", $request->json()->all(), $request->query());
    }
}
